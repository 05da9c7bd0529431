//! A child process that takes what it started along.

use std::io;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

/// A child with a process group of its own. Dropped before the child has ended, all of the
/// group is killed. What a child leaves behind that ended by itself goes on.
pub struct Group {
    pub child: Child,
}

impl Group {
    pub fn spawn(command: &mut Command) -> io::Result<Group> {
        let child = command.process_group(0).kill_on_drop(true).spawn()?;
        Ok(Group { child })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let Ok(None) = self.child.try_wait() else {
            return;
        };
        // The number is its own until it is waited for.
        let id = self
            .child
            .id()
            .and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(group) = id {
            // Fails only where all of it has ended in this moment.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn shell(script: &str) -> Group {
        let mut command = Command::new("sh");
        command
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        Group::spawn(&mut command).unwrap()
    }

    /// What each of them holds open says when the last one is gone.
    #[tokio::test]
    async fn what_it_started_is_killed_with_it() {
        let mut group = shell("sleep 600 & echo on; wait");
        let mut output = group.child.stdout.take().unwrap();
        let mut said = [0; 3];
        output.read_exact(&mut said).await.unwrap();
        drop(group);
        assert_eq!(output.read(&mut said).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn what_it_left_behind_goes_on() {
        let mut group = shell("exec 3<&0; (read -r line <&3; echo $line) & exit 0");
        let mut input = group.child.stdin.take().unwrap();
        let mut output = group.child.stdout.take().unwrap();
        assert!(group.child.wait().await.unwrap().success());
        drop(group);
        input.write_all(b"on\n").await.unwrap();
        let mut said = String::new();
        output.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "on\n");
    }
}
