//! A question to a program that may be missing, hang or print without end.

use std::{
    io::{self, ErrorKind},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    time::timeout,
};

/// How long a program may take; then it is killed.
pub const LIMIT: Duration = Duration::from_secs(1);
/// More than this is not read. Real answers have less than 4 KiB.
const MOST: u64 = 64 * 1024;

/// What a program printed.
pub struct Output {
    /// None if it was killed.
    pub code: Option<i32>,
    pub out: String,
    /// What may have gone wrong, in the program's own first line.
    pub complaint: String,
}

/// Runs a program of `PATH` to its end, or until it times out.
pub async fn run(mut command: Command) -> Result<Output, String> {
    let name = command.as_std().get_program();
    let name = name.to_string_lossy().into_owned();
    let child = command
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let child = child.map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!("there is no {name}"),
        _ => format!("cannot run {name}: {error}"),
    })?;
    match timeout(LIMIT, output_of(&name, child)).await {
        Ok(output) => output.map_err(|error| format!("cannot read from {name}: {error}")),
        Err(_) => Err(format!("{name} does not answer")),
    }
}

async fn output_of(name: &str, mut child: Child) -> io::Result<Output> {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (out, err) = tokio::try_join!(read(out), read(err))?;
    let mut lines = err.lines().map(str::trim);
    let line = lines.find(|line| !line.is_empty());
    Ok(Output {
        code: child.wait().await?.code(),
        out,
        complaint: format!("{name}: {}", line.unwrap_or("gives no answer of use")),
    })
}

/// Closing the pipe early stops a program that prints without end.
async fn read(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<String> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(MOST).read_to_end(&mut bytes).await?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_program_prints_is_returned_up_to_a_limit() {
        for (script, code, out, complaint) in [
            ("echo yes; echo no >&2; exit 3", Some(3), "yes\n", "sh: no"),
            ("kill -9 $$", None, "", "sh: gives no answer of use"),
            (
                "exec yes",
                None,
                &*"y\n".repeat(MOST as usize / 2),
                "sh: gives no answer of use",
            ),
        ] {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            let output = run(command).await.unwrap();
            assert_eq!((output.code, &*output.out), (code, out), "{script}");
            assert_eq!(output.complaint, complaint, "{script}");
        }
    }
}
