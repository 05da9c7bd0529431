//! `headspace export`: gives transcripts back as they were read.
//!
//! In: the archive; which session is asked for.
//! Out: the session's own file on standard output, or all files of it in a folder.
//!
//! What is missing in a file is said, from which byte to which; the rest is given all
//! the same, and the exit code is 1.
//!
//! Not here: which files these are (`find`), the bytes (`restore`), the SQL
//! (`store::read`).

pub mod find;

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    ops::Range,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};

use super::{
    agents::{self, Ambiguous},
    complete,
    restore::restore,
    say::say,
};
use crate::{
    config::{self, Settings},
    store::read::{ArchivedFile, ReadError, Reader},
    telemetry::visible,
};
use find::NotFound;

pub const EXAMPLES: &str = "Examples:
  headspace export --raw 0b6e3f2a > session.jsonl   the session's own file, byte for byte
  headspace export --raw 0b6e3f2a --to DIR          also its subagents' files, and earlier
                                                    contents of files that were rewritten

A session is named by its id, the beginning of its uuid, or its title. It needs what
was kept while archive.mode was full; files that are gone since do not matter.";

/// Sessions that an error names.
const NAMED: usize = 5;

#[derive(clap::Args)]
pub struct ExportArgs {
    /// As the CLI wrote it
    #[arg(long, required = true)]
    raw: bool,
    /// The session's id, the beginning of its uuid, or its title
    #[arg(add = complete::of_all())]
    session: String,
    /// Write all files of the session below this folder instead
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

pub fn main(flags: &config::Flags, args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let settings = super::prepare(flags, "headspace")?;
    super::runtime()?.block_on(async {
        let reader = super::reader(&settings)?;
        let (session, files) = find(&settings, &reader, &args.session).await?;
        let is_whole = match &args.to {
            Some(folder) => write_all(&reader, &files, folder).await?,
            None => print(&reader, &session, &files).await?,
        };
        Ok(match is_whole {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    })
}

/// A session by its id, title or the beginning of its uuid, else by the name of a file:
/// of a subagent, its parent.
async fn session(reader: &Reader, asked: &str) -> anyhow::Result<String> {
    match agents::find(reader, asked).await {
        Ok(agent) => return Ok(find::parent(&agent.session_uuid).to_owned()),
        Err(error) if error.is::<Ambiguous>() || error.is::<ReadError>() => return Err(error),
        Err(_) => {}
    }
    let known = reader.files_like(asked).await?;
    match find::session(asked, &known) {
        Ok(session) => Ok(session),
        Err(NotFound::Unknown) => {
            bail!(
                "{}: no session has this id, title or beginning of its uuid, and no archived \
                 file is called so; `headspace status -a` lists them",
                visible(asked)
            )
        }
        Err(NotFound::Several(all)) => {
            let named: Vec<&str> = all.iter().take(NAMED).map(String::as_str).collect();
            let (count, named) = (all.len(), named.join(", "));
            bail!(
                "{}: {count} sessions begin so: {named}; give more of the uuid",
                visible(asked)
            )
        }
    }
}

/// A file of the session, with its generations, the newest first.
struct Found {
    name: String,
    file: ArchivedFile,
    generations: Vec<i64>,
}

async fn find(
    settings: &Settings,
    reader: &Reader,
    asked: &str,
) -> anyhow::Result<(String, Vec<Found>)> {
    let session = session(reader, asked).await?;
    let sessions = reader.sessions_like(&session).await?;
    let known = reader.files_like(&session).await?;
    let mut files = Vec::new();
    for (name, file) in find::files(&session, &sessions, known) {
        let mut generations = reader.generations(file.checkpoint_id).await?;
        generations.reverse();
        files.push(Found {
            name,
            file,
            generations,
        });
    }
    if files.iter().all(|found| found.generations.is_empty()) {
        let why = match settings.keeps_archive() {
            true => "its files were read before archive.mode was full, or are empty",
            false => "archive.mode is off",
        };
        bail!("nothing of session {session} is archived: {why}");
    }
    Ok((session, files))
}

/// The session's own file, as it was last; says whether nothing is missing.
async fn print(reader: &Reader, session: &str, files: &[Found]) -> anyhow::Result<bool> {
    let own = files
        .iter()
        .find(|found| found.name == format!("{session}.jsonl"));
    let Some(Found { file, .. }) = own else {
        let count = files.len();
        bail!(
            "the file of session {session} itself is not archived; {count} other files of it \
             are: --to DIR writes them"
        );
    };
    let mut output = BufWriter::new(io::stdout().lock());
    let missing = restored(reader, file, file.rewrites, &mut output).await;
    match missing.and_then(|missing| Ok((output.flush()?, missing))) {
        Ok(((), missing)) => Ok(report(file, &missing)),
        Err(error) if is_broken_pipe(&error) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Every file, every generation, below the folder.
async fn write_all(reader: &Reader, files: &[Found], folder: &Path) -> anyhow::Result<bool> {
    let mut is_whole = true;
    for Found {
        name,
        file,
        generations,
    } in files
    {
        for &generation in generations {
            let path = match generation == file.rewrites {
                true => folder.join(name),
                false => folder.join(format!("{name}.generation-{generation}")),
            };
            let mut output = create(&path)
                .map(BufWriter::new)
                .with_context(|| format!("cannot write {}", path.display()))?;
            let missing = restored(reader, file, generation, &mut output).await?;
            output.flush()?;
            is_whole &= report(file, &missing);
            say!("{}", visible(&path.to_string_lossy()));
        }
    }
    Ok(is_whole)
}

async fn restored(
    reader: &Reader,
    file: &ArchivedFile,
    generation: i64,
    output: &mut impl Write,
) -> anyhow::Result<Vec<Range<u64>>> {
    // Up to where an earlier generation was read is not known any more.
    let end = match generation == file.rewrites {
        true => file.offset.cast_unsigned(),
        false => 0,
    };
    let restored = restore(reader, file.checkpoint_id, generation, end, output);
    let context = || format!("failed to restore {}", find::path(file));
    restored.await.with_context(context)
}

/// Nothing that is there is written over.
fn create(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    File::create_new(path)
}

fn report(file: &ArchivedFile, missing: &[Range<u64>]) -> bool {
    for Range { start, end } in missing {
        let (path, count) = (visible(find::path(file)).to_string(), end - start);
        eprintln!(
            "headspace: {count} bytes are missing in {path}, from byte {start} to byte {end}: \
             they were read while archive.mode was not full, or are a line longer than \
             watch.max_line_bytes"
        );
    }
    missing.is_empty()
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
