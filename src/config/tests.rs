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
    assert_eq!(settings.logging, Logging::default());
    assert_eq!(settings.places.config_file, None);
    assert_eq!(settings.places.run, at.path("state/run"));
}

/// The lines of the shipped file: section, key, the comment above it.
fn shipped() -> Vec<(String, String, String)> {
    let (mut section, mut comment) = (String::new(), String::new());
    let mut keys = Vec::new();
    for line in layer::DEFAULTS.lines() {
        if let Some(text) = line.trim().strip_prefix('#') {
            comment.push_str(text);
        } else if let Some((name, _)) = line.split_once(':') {
            match name.strip_prefix("  ") {
                Some(key) => keys.push((section.clone(), key.into(), comment.clone())),
                None => section = name.into(),
            }
            comment.clear();
        }
    }
    keys
}

#[test]
fn every_key_in_the_shipped_file_is_explained_and_its_range_is_the_one_in_force() {
    let keys = shipped();
    assert!(keys.len() > 15, "{keys:?}");
    for (section, key, comment) in keys {
        assert!(!comment.is_empty(), "{section}.{key}");
        let words: Vec<&str> = comment.split([' ', '.', ';', ':', ',']).collect();
        let number = |word: &&str| word.parse::<u64>().ok();
        let range = words.windows(3).find_map(|three| match three {
            [least, "to", most] => Some((number(least)?, number(most)?)),
            _ => None,
        });
        let default = layer::DEFAULTS.lines().find_map(|line| {
            line.strip_prefix(&format!("  {key}: "))?
                .parse::<u64>()
                .ok()
        });
        let Some((least, most)) = range else {
            assert_eq!(default, None, "{section}.{key} has no range in its comment");
            continue;
        };
        let refused = |value: i128| {
            let at = Ground::new().with_file(&format!("{section}: {{{key}: {value}}}"));
            let wrong = at.load([]).err()?;
            let expected =
                format!("{section}.{key}: expected a whole number from {least} to {most}");
            assert!(wrong.contains(&expected), "{wrong}");
            Some(wrong)
        };
        let (least, most) = (i128::from(least), i128::from(most));
        for (value, is_refused) in [
            (least, false),
            (most, false),
            (least - 1, true),
            (most + 1, true),
        ] {
            assert_eq!(
                refused(value).is_some(),
                is_refused,
                "{section}.{key}: {value}"
            );
        }
    }
}

#[test]
fn a_wrong_value_says_what_was_expected_and_found() {
    for (yaml, expected) in [
        ("sse: {max_connections: 1e30}", "from 1 to 10000, got 1"),
        ("sse: {max_connections: 1.5}", "got 1.5"),
        (
            "sse: {max_connections: 18446744073709551615}",
            "got 18446744073709551615",
        ),
        ("sse: {max_connections: \"5\"}", r#"got "5""#),
        ("sse: {max_connections: }", "got no value"),
        ("sse: {max_connections: [5]}", "got a list"),
        ("claude: {roots: /a}", "expected a sequence, got \"/a\""),
        (
            "claude: {roots: [/a, 5]}",
            "claude.roots: expected a string, got 5",
        ),
        ("claude: {roots: [/a/../b]}", "`..`"),
        ("web: {listen: [\"0.0.0.0:1\"]}", "remote access"),
        ("web: {hosts: [\"http://x/\"]}", "host name"),
        ("web: {hosts: [\"*\"]}", "host name"),
        ("web: 5", "web: expected the keys of Web, got 5"),
        (
            "logging: {level: loud}",
            "expected one of error, warn, info, debug, trace; got \"loud\"",
        ),
        (
            "logging: {format: xml}",
            "expected one of auto, text, json, journald; got \"xml\"",
        ),
        (
            "event_system: {write_retry_dely_ms: 5}",
            "unknown key; did you mean write_retry_delay_ms?",
        ),
        (
            "web: {colour: 5}",
            "web.colour: unknown key; known are listen, hosts, idle_timeout_seconds",
        ),
        (
            "evnt_system: {}",
            "evnt_system: unknown section; did you mean event_system?",
        ),
        // Features that are not there have no keys.
        ("redact: {mode: store}", "redact: unknown section"),
        ("web: {allow_remote: true}", "web.allow_remote: unknown key"),
        ("watch: {sessions: some}", "watch.sessions: "),
        ("hooks: {enabled: maybe}", "hooks.enabled: "),
    ] {
        let wrong = Ground::new().with_file(yaml).load([]).expect_err(yaml);
        assert_eq!(wrong.lines().count(), 1, "{yaml}: {wrong}");
        assert!(
            wrong.contains("config.yaml: ") && wrong.contains(expected),
            "{yaml}: {wrong}"
        );
    }
    assert!(Ground::new().with_file("web:\nsse: {}\n").load([]).is_ok());
}

#[test]
fn no_message_repeats_a_url() {
    for yaml in [
        "database: postgres://u:geheim@h/db",
        "database: {url: [\"postgres://u:geheim@h/db\"]}",
        "database: {max_connections: \"postgres://u:geheim@h/db\"}",
        "database: {ulr: \"postgres://u:geheim@h/db\"}",
        "database: {url: \"http://u:geheim@h/db\"}",
    ] {
        let wrong = Ground::new().with_file(yaml).load([]).expect_err(yaml);
        assert!(!wrong.contains("geheim"), "{wrong}");
    }
}

#[test]
fn a_password_is_refused_on_the_command_line_only() {
    let with = |url: &str| {
        let flags = Flags {
            database_url: Some(url.into()),
            ..Flags::default()
        };
        Ground::new().load_with(flags, [])
    };
    let wrong = with("postgres://u:geheim@h/db").expect_err("a password");
    assert!(wrong.starts_with("--database-url: database.url: a password"));
    assert!(!wrong.contains("geheim"), "{wrong}");
    assert!(with("postgres://u@h/db").is_ok());
}

#[test]
fn wrong_settings_are_logged_as_the_right_ones_among_them_say() {
    let at = Ground::new().with_file("logging: {format: json}\nsse: {max_connections: 0}\n");
    let flags = Flags {
        config: Some(at.path("config.yaml")),
        state_dir: Some(at.path("state")),
        log_level: Some("loud".into()),
        ..Flags::default()
    };
    let error = load_from(&flags, &Environment::from([])).expect_err("wrong");
    assert_eq!(error.problems.len(), 2);
    assert_eq!(
        (error.logging.format, error.logging.level),
        (LogFormat::Json, Level::Info)
    );
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
    assert_eq!(settings.logging.level, Level::Trace);
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
            ("HEADSPACE_LOGGING__FORMAT", "journald"),
            // Scripts have variables of their own.
            ("HEADSPACE_BIN", "/usr/bin/headspace"),
            ("HEADSPACE_MAX_RESTARTS_PER_MINUTE", "many"),
        ])
        .expect("loaded");
    assert_eq!(settings.claude.roots, [Path::new("/a"), Path::new("/b")]);
    let socket = settings.places.run.join("web.sock");
    assert_eq!(settings.web.listen[1], Listen::Unix(socket));
    assert_eq!(settings.event_system.write_retry_attempts, 5);
    assert_eq!(settings.logging.format, LogFormat::Journald);
}

#[test]
fn a_wrong_variable_is_named_as_it_is_written() {
    let wrong = |name, value| Ground::new().load([(name, value)]).expect_err(name);
    assert_eq!(
        wrong("HEADSPACE_SSE__MAX_CONECTIONS", "5"),
        "HEADSPACE_SSE__MAX_CONECTIONS: sse.max_conections: unknown key; did you mean max_connections?"
    );
    assert_eq!(
        wrong("HEADSPACE_SES__MAX_CONNECTIONS", "5"),
        "HEADSPACE_SES__MAX_CONNECTIONS: ses: unknown section; did you mean sse?"
    );
    assert_eq!(
        wrong("HEADSPACE_SSE__MAX_CONNECTIONS", ""),
        r#"HEADSPACE_SSE__MAX_CONNECTIONS: sse.max_connections: expected a whole number from 1 to 10000, got """#
    );
    assert!(wrong("HEADSPACE_CLAUDE__ROOTS", "/a").contains("expected a sequence"));
    assert!(wrong("HEADSPACE__WEB__LISTEN", "[]").contains("unknown section"));
    assert!(wrong("DATABASE_URL", "mysql://h/db").starts_with("DATABASE_URL: database.url: "));
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
    assert!(page.contains("  format: \"auto\"  # default\n"), "{page}");
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
fn a_system_service_without_a_user_is_refused_with_the_command_that_names_one() {
    let state = ("STATE_DIRECTORY", "/var/lib/headspace");
    for home in ["", "/"] {
        let variables = Environment::from([state, ("HOME", home)]);
        let error = load_from(&Flags::default(), &variables).expect_err("no user");
        let shown = error.to_string();
        assert!(
            shown.contains("headspace install --system --user NAME"),
            "{shown}"
        );
    }
    let variables = Environment::from([state, ("HOME", "/home/a")]);
    assert!(load_from(&Flags::default(), &variables).is_ok());
}
