//! A tmux server of the test's own; it ends with the test.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use super::headspace::{Headspace, PATIENCE, eventually};

pub struct Tmux {
    pub socket: PathBuf,
    environment: Vec<(String, String)>,
    client: Option<Child>,
}

impl Tmux {
    /// With a session `work` of one window. Commands in it have the test's environment.
    pub fn start(headspace: &Headspace) -> Tmux {
        let mut tmux = Tmux {
            socket: headspace.dir().join("tmux.sock"),
            client: None,
            environment: Vec::new(),
        };
        let command = headspace.command(&[]);
        let set = command.get_envs().filter_map(|(name, value)| {
            Some((name.to_str()?.to_owned(), value?.to_str()?.to_owned()))
        });
        tmux.environment = set.collect();
        tmux.environment.push(("LC_ALL".into(), "C.UTF-8".into()));
        tmux.environment
            .push(("TERM".into(), "xterm-256color".into()));
        let config = ["-f", "/dev/null"];
        let size = ["-x", "100", "-y", "24"];
        let words = [
            &config[..],
            &["new-session", "-d", "-s", "work"],
            &size,
            &["cat"],
        ]
        .concat();
        tmux.run(&words);
        tmux
    }

    /// What it prints.
    pub fn run(&self, words: &[&str]) -> String {
        let output = self.command(words).output().expect("tmux");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tmux {words:?}: {errors}");
        String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned()
    }

    /// A terminal that shows the session.
    pub fn attach(&mut self, session: &str) {
        let socket = self.socket.display();
        let attach =
            format!("stty cols 100 rows 24; exec tmux -S {socket} attach-session -t {session}");
        let mut script = Command::new("script");
        script.args(["-qec", &attach, "/dev/null"]).env_clear();
        script.envs(self.environment.iter().map(|(name, value)| (name, value)));
        // Its input stays open: at an end the terminal would be closed.
        script.stdin(Stdio::piped()).stdout(Stdio::null());
        self.client = Some(script.spawn().expect("script"));
        eventually("a client is there", || {
            !self.run(&["list-clients"]).is_empty()
        });
    }

    /// Runs a command in a new window, and gives its pane.
    pub fn window(&self, command: &str) -> String {
        let format = ["-P", "-F", "#{pane_id}"];
        self.run(
            &[
                &["new-window", "-d", "-t", "work:"],
                &format[..],
                &[command],
            ]
            .concat(),
        )
    }

    /// The variables of a process in this pane, as its hooks report them.
    pub fn variables(&self, pane: &str) -> String {
        let socket = self.socket.display();
        format!("{{\"tmux_socket\": \"{socket}\", \"tmux\": \"{pane}\", \"tty\": \"/dev/pts/99\"}}")
    }

    pub fn screen(&self, pane: &str) -> String {
        self.run(&["capture-pane", "-p", "-t", pane])
    }

    pub fn wait_for(&self, pane: &str, text: &str) -> String {
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let screen = self.screen(pane);
            if screen.contains(text) {
                return screen;
            }
            assert!(
                std::time::Instant::now() < deadline,
                "{text:?} is not in\n{screen}"
            );
            std::thread::park_timeout(std::time::Duration::from_millis(10));
        }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(&self.socket).args(words).env_clear();
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = self.command(&["kill-server"]).output();
        if let Some(client) = &mut self.client {
            let _ = client.kill();
            let _ = client.wait();
        }
    }
}
