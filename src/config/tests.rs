use super::*;
use std::fs;

struct Ground {
    folder: tempfile::TempDir,
}

impl Ground {
    fn new() -> Ground {
        Ground {
            folder: tempfile::tempdir().expect("folder"),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn with_file(self, yaml: &str) -> Ground {
        fs::write(self.path("config.yaml"), yaml).expect("written");
        self
    }

    fn load<const N: usize>(&self, variables: [(&str, &str); N]) -> Result<Settings, String> {
        self.load_with(Flags::default(), variables)
    }

    fn load_with<const N: usize>(
        &self,
        flags: Flags,
        variables: [(&str, &str); N],
    ) -> Result<Settings, String> {
        let config = self.path("config.yaml");
        let flags = Flags {
            config: flags.config.or(config.exists().then_some(config)),
            state_dir: flags.state_dir.or(Some(self.path("state"))),
            ..flags
        };
        load_from(&flags, &Environment::from(variables)).map_err(|error| error.to_string())
    }
}

#[test]
fn without_anything_the_defaults_are_in_force() {
    let at = Ground::new();
    let settings = at.load([("HOME", "/home/a")]).expect("loaded");
    let file = at.path("state/headspace.db");
    assert_eq!(settings.database.url, DatabaseUrl::Sqlite(file));
    assert_eq!(settings.claude.roots, [Path::new("/home/a/.claude")]);
    assert_eq!(
        settings.web.listen,
        [Listen::Tcp("127.0.0.1:5055".parse().expect("address"))]
    );
    assert_eq!(settings.watch.max_line_bytes, 64 << 20);
    assert_eq!(settings.event_system.write_retry_attempts, 3);
    assert_eq!(settings.redact.mode, RedactMode::Off);
    assert_eq!(settings.places.config_file, None);
    assert_eq!(settings.places.run, at.path("state/run"));
}

#[test]
fn the_shipped_file_says_what_the_defaults_are() {
    let shipped = include_str!("../../config/config.yaml");
    let at = Ground::new();
    let defaults = at.load([("HOME", "/home/a")]).expect("defaults");
    let at = at.with_file(shipped);
    let loaded = at.load([("HOME", "/home/a")]).expect("shipped file loads");
    assert_eq!(
        serde_json::to_value(&loaded).expect("json"),
        serde_json::to_value(&defaults).expect("json"),
    );
    // Every key stands in the file: a missing one would hide behind its default.
    let origin = at.path("config.yaml").display().to_string();
    for key in keys::KEYS.iter().filter(|key| key.path != "claude.roots") {
        assert_eq!(loaded.sources[key.path], origin, "{}", key.path);
    }
    assert!(shipped.contains("\n  roots: []"));
}

#[test]
fn the_shipped_file_tells_every_range() {
    let shipped = include_str!("../../config/config.yaml");
    for key in keys::KEYS {
        let comment = comment_above(shipped, key.name(), key.section());
        match key.kind {
            keys::Kind::Count(least, most) => {
                let range = format!("{least} to {most}");
                assert!(comment.contains(&range), "{}: {range}", key.path);
            }
            keys::Kind::Choice(words) => {
                for word in words {
                    assert!(comment.contains(word), "{}: {word}", key.path);
                }
            }
            _ => assert!(!comment.is_empty(), "{}", key.path),
        }
    }
}

fn comment_above(file: &str, name: &str, section: &str) -> String {
    let mut comment = String::new();
    let section = format!("{section}:");
    for line in file.lines().skip_while(|line| *line != section).skip(1) {
        match line.trim().strip_prefix('#') {
            Some(text) => comment.push_str(text),
            None if line.trim().starts_with(&format!("{name}:")) => return comment,
            None => comment.clear(),
        }
    }
    panic!("{section} {name} is not in the file");
}

#[test]
fn each_layer_wins_over_the_one_below() {
    let at = Ground::new().with_file(
        "database:\n  url: sqlite:/file.db\nlogging: {level: warn}\nsse: {max_connections: 7}\n",
    );
    let url = |settings: Settings| settings.database.url.to_string();
    assert_eq!(url(at.load([]).expect("file")), "sqlite:/file.db");
    let shared = ("DATABASE_URL", "sqlite:/shared.db");
    let ours = ("HEADSPACE_DATABASE__URL", "sqlite:/ours.db");
    assert_eq!(url(at.load([shared]).expect("shared")), "sqlite:/shared.db");
    assert_eq!(
        url(at.load([shared, ours]).expect("ours")),
        "sqlite:/ours.db"
    );
    let flags = Flags {
        database_url: Some("sqlite:/flag.db".into()),
        log_level: Some("trace".into()),
        ..Flags::default()
    };
    let variables = [shared, ours, ("HEADSPACE_LOGGING__LEVEL", "error")];
    let settings = at.load_with(flags, variables).expect("flags");
    assert_eq!(settings.logging.level, "trace");
    assert_eq!(settings.sse.max_connections, 7);
    assert_eq!(url(settings), "sqlite:/flag.db");
}

#[test]
fn every_kind_of_setting_can_come_from_the_environment() {
    let settings = Ground::new()
        .load([
            ("HEADSPACE_CLAUDE__ROOTS", r#"["/a","/b"]"#),
            (
                "HEADSPACE_WEB__LISTEN",
                r#"["127.0.0.1:0","unix:<run>/web.sock"]"#,
            ),
            ("HEADSPACE_EVENT_SYSTEM__WRITE_RETRY_ATTEMPTS", "5"),
            ("HEADSPACE_HOOKS__ENABLED", "false"),
            ("HEADSPACE_WATCH__SESSIONS", "all"),
            // Scripts have variables of their own.
            ("HEADSPACE_BIN", "/usr/bin/headspace"),
            ("HEADSPACE_MAX_RESTARTS_PER_MINUTE", "many"),
        ])
        .expect("loaded");
    assert_eq!(settings.claude.roots, [Path::new("/a"), Path::new("/b")]);
    let socket = settings.places.run.join("web.sock");
    assert_eq!(settings.web.listen[1], Listen::Unix(socket));
    assert_eq!(settings.event_system.write_retry_attempts, 5);
    assert!(!settings.hooks.enabled);
    assert_eq!(settings.watch.sessions, Sessions::All);
}

#[test]
fn a_wrong_variable_is_named_as_it_is_written() {
    let wrong = |name, value| Ground::new().load([(name, value)]).expect_err(name);
    assert_eq!(
        wrong("HEADSPACE_SSE__MAX_CONECTIONS", "5"),
        "HEADSPACE_SSE__MAX_CONECTIONS: sse.max_conections: unknown key; did you mean HEADSPACE_SSE__MAX_CONNECTIONS?"
    );
    assert_eq!(
        wrong("HEADSPACE_SES__MAX_CONNECTIONS", "5"),
        "HEADSPACE_SES__MAX_CONNECTIONS: ses.max_connections: unknown section ses; did you mean sse?"
    );
    assert_eq!(
        wrong("HEADSPACE_SSE__MAX_CONNECTIONS", ""),
        r#"HEADSPACE_SSE__MAX_CONNECTIONS: sse.max_connections: expected a whole number from 1 to 10000, got the text """#
    );
    assert!(wrong("HEADSPACE_CLAUDE__ROOTS", "/a").contains(r#"such as ["a", "b"]"#));
    assert!(wrong("HEADSPACE__WEB__LISTEN", "[]").contains("did you mean web?"));
    assert!(wrong("DATABASE_URL", "mysql://h/db").starts_with("DATABASE_URL: database.url: "));
}

#[test]
fn all_problems_are_told_at_once() {
    let flags = Flags {
        log_level: Some("loud".into()),
        ..Flags::default()
    };
    let at = Ground::new().with_file("web: {listn: []}\nsse: {max_connections: 0}\n");
    let wrong = at
        .load_with(flags, [("HEADSPACE_HOOKS__ENABLED", "maybe")])
        .unwrap_err();
    let lines: Vec<&str> = wrong.lines().collect();
    assert_eq!(lines.len(), 4, "{wrong}");
    assert!(
        lines[0].contains("config.yaml: sse.max_connections: "),
        "{wrong}"
    );
    assert!(lines[1].contains("config.yaml: web.listn: "), "{wrong}");
    assert!(
        lines[2].starts_with("HEADSPACE_HOOKS__ENABLED: "),
        "{wrong}"
    );
    assert!(
        lines[3].starts_with("--log-level: logging.level: "),
        "{wrong}"
    );
}

#[test]
fn a_named_file_must_be_there() {
    let flags = Flags {
        config: Some("/nonexistent/config.yaml".into()),
        ..Flags::default()
    };
    let wrong = Ground::new().load_with(flags, []).unwrap_err();
    assert_eq!(
        wrong,
        "/nonexistent/config.yaml: no such file (named by --config)"
    );
}

#[test]
fn claude_folders_follow_claude_code() {
    let at = Ground::new();
    fs::create_dir_all(at.path(".config/claude")).expect("made");
    let home = at.path("").display().to_string();
    let home = home.trim_end_matches('/');
    let roots = |variables| at.load(variables).map(|settings| settings.claude.roots);
    assert_eq!(
        roots([("HOME", home), ("CLAUDE_CONFIG_DIR", "")]),
        Ok(vec![at.path(".claude"), at.path(".config/claude")])
    );
    assert_eq!(
        roots([("HOME", home), ("CLAUDE_CONFIG_DIR", "/other")]),
        Ok(vec!["/other".into()])
    );
    let wrong = roots([("HOME", home), ("CLAUDE_CONFIG_DIR", "other")]).unwrap_err();
    assert!(
        wrong.starts_with("CLAUDE_CONFIG_DIR: claude.roots: "),
        "{wrong}"
    );
}

#[test]
fn the_shown_settings_load_to_the_same_and_say_their_source() {
    let at =
        Ground::new().with_file("claude: {roots: [\"/x: y # z\"]}\nsse: {max_connections: 9}\n");
    let settings = at
        .load([("HEADSPACE_WEB__HOSTS", r#"["box.example"]"#)])
        .expect("loaded");
    let page = show(&settings);
    let file = at.path("config.yaml").display().to_string();
    assert!(
        page.contains(&format!("  max_connections: 9  # {file}\n")),
        "{page}"
    );
    assert!(page.contains("  enabled: true  # default\n"), "{page}");
    assert!(page.contains("# HEADSPACE_WEB__HOSTS\n"), "{page}");
    let again = at.with_file(&page).load([]).expect("shown settings load");
    assert_eq!(
        serde_json::to_value(&again).expect("json"),
        serde_json::to_value(&settings).expect("json"),
    );
}

#[test]
fn a_credential_wins_over_the_file_and_is_not_shown() {
    let folder = tempfile::tempdir().expect("folder");
    let secret = folder.path().join("database-url");
    std::fs::write(&secret, "postgres://u:geheim@h/db\n").expect("credential");
    let at = Ground::new().with_file("database:\n  url: sqlite:/file.db\n");
    let credentials = (
        "CREDENTIALS_DIRECTORY",
        folder.path().to_str().expect("text"),
    );
    let settings = at.load([credentials]).expect("credential");
    let shown = format!("url: \"postgres://u:***@h/db\"  # {}", secret.display());
    assert!(show(&settings).contains(&shown), "{}", show(&settings));
    let ours = ("HEADSPACE_DATABASE__URL", "sqlite:/ours.db");
    let settings = at.load([credentials, ours]).expect("ours");
    assert_eq!(settings.database.url.to_string(), "sqlite:/ours.db");
    std::fs::remove_file(&secret).expect("removed");
    let settings = at.load([credentials]).expect("none");
    assert_eq!(settings.database.url.to_string(), "sqlite:/file.db");
}

#[test]
fn a_system_service_without_a_user_is_told_how_to_get_one() {
    let state = ("STATE_DIRECTORY", "/var/lib/headspace");
    for home in ["", "/"] {
        let variables = Environment::from([state, ("HOME", home)]);
        let error = load_from(&Flags::default(), &variables).expect_err("nobody");
        let told = error.to_string();
        assert!(
            told.contains("headspace install --system --user NAME"),
            "{told}"
        );
    }
    let variables = Environment::from([state, ("HOME", "/home/a")]);
    assert!(load_from(&Flags::default(), &variables).is_ok());
}

#[test]
fn no_password_is_shown_or_printed() {
    let settings = Ground::new()
        .load([("DATABASE_URL", "postgres://u:geheim@h/db")])
        .expect("loaded");
    assert!(show(&settings).contains(r#"url: "postgres://u:***@h/db"  # DATABASE_URL"#));
    assert!(!format!("{settings:?}").contains("geheim"));
    let DatabaseUrl::Postgres(url) = settings.database.url else {
        panic!("not PostgreSQL");
    };
    assert_eq!(url, "postgres://u:geheim@h/db");
}
