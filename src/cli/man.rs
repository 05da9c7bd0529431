//! `headspace man`: a manual page for each command, made from its `--help`.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Command, CommandFactory, builder::Resettable};
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use super::{Cli, say::say};

pub const EXAMPLES: &str = "Examples:
  headspace man | man -l -
  headspace man config show | man -l -
  headspace man --write ~/.local/share/man/man1";

/// What the page of the program itself says beyond its `--help`.
const PROGRAM: &str = "\
Files:
  ~/.config/headspace/config.yaml     settings
  /etc/headspace/config.yaml          settings of the system's services
  ~/.local/state/headspace            the database and the lock
  /var/lib/headspace                  the same of the system's services

Environment:
  HEADSPACE_SECTION__KEY    any setting, as in HEADSPACE_SSE__MAX_CONNECTIONS=50
  DATABASE_URL              database.url; the place for a password
  CLAUDE_CONFIG_DIR         the folder to watch, unless claude.roots names some";

#[derive(clap::Args)]
pub struct ManArgs {
    /// The command whose page to print [default: the program's own]
    command: Vec<String>,
    /// Write all pages into this folder instead
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    write: Option<PathBuf>,
}

pub fn main(args: &ManArgs) -> anyhow::Result<ExitCode> {
    let program = program();
    match &args.write {
        Some(folder) => write(&program, folder)?,
        None => {
            let page = page(find(&program, &args.command)?)?;
            say!("{}", page.trim_end());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The whole tree of commands, without the page that `help` would get.
fn program() -> Command {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    program
}

fn find<'a>(program: &'a Command, words: &[String]) -> anyhow::Result<&'a Command> {
    words.iter().try_fold(program, |command, word| {
        command
            .find_subcommand(word)
            .with_context(|| format!("{} has no command {word}", spoken(command)))
    })
}

/// Writes the page of a command and of each below it. They hold nothing of the
/// user's and are readable for every user.
fn write(command: &Command, folder: &Path) -> anyhow::Result<()> {
    let path = folder.join(format!("{}.1", title(command)));
    fs::write(&path, page(command)?)
        .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(0o644)))
        .with_context(|| format!("cannot write {}", path.display()))?;
    command
        .get_subcommands()
        .try_for_each(|command| write(command, folder))
}

fn page(command: &Command) -> io::Result<String> {
    let after = command.get_after_help().map(ToString::to_string);
    let below = command.clone().after_help(Resettable::Reset);
    let mut page = Vec::new();
    Man::new(below)
        // A page belongs to a version, not to a day; the argument before the
        // version's must be there all the same.
        .date(" ")
        .source(format!("headspace {}", env!("CARGO_PKG_VERSION")))
        .manual("headspace")
        .render(&mut page)?;
    let mut rest = Roff::new();
    sections(&after.unwrap_or_default(), &mut rest);
    if title(command) == "headspace" {
        sections(PROGRAM, &mut rest);
    } else {
        rest.control("SH", ["SEE ALSO"]);
        rest.text([bold("headspace"), roman("(1)")]);
    }
    rest.to_writer(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// Turns the end of a help text into sections: a paragraph `Name:` with lines
/// below it keeps its lines, `Name: words` and plain words become text.
fn sections(text: &str, page: &mut Roff) {
    for paragraph in text.split("\n\n").filter(|text| !text.trim().is_empty()) {
        match paragraph.split_once(':') {
            Some((name, lines)) if lines.starts_with('\n') => {
                page.control("SH", [heading(name).as_str()]);
                page.control("nf", []);
                for line in lines.trim_matches('\n').lines() {
                    page.text([roman(line)]);
                }
                page.control("fi", []);
            }
            Some((name, words)) if !name.contains('\n') => {
                page.control("SH", [heading(name).as_str()]);
                page.text([roman(words.trim())]);
            }
            _ => {
                page.control("SH", ["NOTES"]);
                page.text([roman(paragraph)]);
            }
        }
    }
}

/// Manual pages have names of their own for some sections.
fn heading(name: &str) -> String {
    match name {
        "Exit codes" => "EXIT STATUS".to_owned(),
        name => name.to_uppercase(),
    }
}

/// `headspace-config-show`
fn title(command: &Command) -> &str {
    command
        .get_display_name()
        .unwrap_or_else(|| command.get_name())
}

/// `headspace config show`
fn spoken(command: &Command) -> &str {
    command.get_bin_name().unwrap_or_else(|| command.get_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let mut page = Roff::new();
        sections(text, &mut page);
        page.to_roff()
    }

    #[test]
    fn a_named_paragraph_is_a_section() {
        assert_eq!(
            shown("Exit codes: 0 ok, 1 failed."),
            ".SH \"EXIT STATUS\"\n0 ok, 1 failed.\n"
        );
        assert_eq!(
            shown("Examples:\n  a   b\n  c"),
            ".SH EXAMPLES\n.nf\n  a   b\n  c\n.fi\n"
        );
        assert_eq!(
            shown("One line.\nAnother: it."),
            ".SH NOTES\nOne line.\nAnother: it.\n"
        );
        assert_eq!(shown(""), "");
    }

    #[test]
    fn a_page_is_found_by_its_words() {
        let program = program();
        let title_of = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(ToString::to_string).collect();
            find(&program, &words).map(title).map_err(|e| e.to_string())
        };
        assert_eq!(title_of(&[]), Ok("headspace"));
        assert_eq!(title_of(&["config", "show"]), Ok("headspace-config-show"));
        assert_eq!(
            title_of(&["config", "eat"]),
            Err("headspace config has no command eat".to_owned())
        );
    }
}
