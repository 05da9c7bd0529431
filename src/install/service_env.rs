//! What the services are told: by their manager, and by our drop-in.

use std::{collections::BTreeMap, fs, path::Path};

use super::{InstallRefused, Scope, database, facts::Request, manifest::Manifest, target::Target};
use crate::config::{self, Flags};

pub const URL: &str = "HEADSPACE_DATABASE__URL";

pub struct ServiceEnv {
    /// By their manager.
    pub surroundings: BTreeMap<String, String>,
    /// By our drop-in: chosen now or at an earlier installation.
    pub chosen: BTreeMap<String, String>,
    /// The database's address, which may hold a password.
    pub secret: Option<String>,
}

impl ServiceEnv {
    pub fn new(
        target: &Target,
        surroundings: BTreeMap<String, String>,
        request: &Request,
        earlier: Option<&Manifest>,
    ) -> Result<ServiceEnv, InstallRefused> {
        let mut chosen = earlier.map_or_else(BTreeMap::new, |earlier| earlier.environment.clone());
        chosen.extend(choices(target.scope, &request.shell, &surroundings));
        chosen.extend(of_flags(&request.flags)?);
        let file = target.config_folder(&surroundings).join("database-url");
        let secret = secret(&request.shell, &mut chosen, &file);
        if request.creates_database {
            let ours = database::url(&target.account.name, database::OWNER);
            refuse_another_database(&ours, &chosen, secret.as_deref())?;
            chosen.insert(URL.into(), ours);
        }
        Ok(ServiceEnv {
            secret,
            surroundings,
            chosen,
        })
    }

    /// The environment as the services will have it.
    pub fn all(&self) -> BTreeMap<String, String> {
        let mut all = self.surroundings.clone();
        all.extend(self.chosen.clone());
        if let Some(url) = &self.secret {
            all.insert("DATABASE_URL".into(), url.clone());
        }
        all
    }
}

fn refuse_another_database(
    ours: &str,
    chosen: &BTreeMap<String, String>,
    secret: Option<&str>,
) -> Result<(), InstallRefused> {
    let is_other = chosen.get(URL).is_some_and(|url| url != ours) || secret.is_some();
    match is_other {
        false => Ok(()),
        true => Err(InstallRefused(
            "--create-database: another database is chosen already, by --database-url, a \
             variable of this shell, or at an earlier installation (then first: sudo headspace \
             uninstall --system)"
                .into(),
        )),
    }
}

/// What the shell knows and the manager does not. Of root's shell only what is
/// meant for headspace counts: its folders are root's.
fn choices(
    scope: Scope,
    shell: &BTreeMap<String, String>,
    manager: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let of_the_user = [
        "CLAUDE_CONFIG_DIR",
        "HEADSPACE_STATE_DIR",
        "XDG_CONFIG_HOME",
        "XDG_STATE_HOME",
    ];
    let is_setting = |name: &str| {
        let rest = name.strip_prefix("HEADSPACE_");
        name == "HEADSPACE_CONFIG" || rest.is_some_and(|rest| rest.contains("__"))
    };
    let counts =
        |name: &str| is_setting(name) || scope == Scope::User && of_the_user.contains(&name);
    let is_new = |name: &String, value: &String| manager.get(name) != Some(value);
    let new = shell
        .iter()
        .filter(|(name, value)| counts(name) && !value.is_empty() && is_new(name, value));
    new.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Flags of this command become settings of the services.
fn of_flags(flags: &Flags) -> Result<BTreeMap<String, String>, InstallRefused> {
    let absolute = |path: &std::path::PathBuf| {
        let full = std::path::absolute(path).ok();
        let text = full.and_then(|full| full.to_str().map(str::to_owned));
        text.ok_or_else(|| InstallRefused(format!("{}: is not UTF-8 text", path.display())))
    };
    let config = flags.config.as_ref().map(absolute).transpose()?;
    let state = flags.state_dir.as_ref().map(absolute).transpose()?;
    let given = [
        ("HEADSPACE_CONFIG", config),
        ("HEADSPACE_STATE_DIR", state),
        (URL, flags.database_url.clone()),
        ("HEADSPACE_LOGGING__LEVEL", flags.log_level.clone()),
    ];
    let pair = |(name, value): (&str, Option<String>)| Some((name.to_owned(), value?));
    Ok(given.into_iter().filter_map(pair).collect())
}

/// An address that may hold a password goes into a file; one that is there
/// already stays.
fn secret(
    shell: &BTreeMap<String, String>,
    chosen: &mut BTreeMap<String, String>,
    file: &Path,
) -> Option<String> {
    if chosen.get(URL).is_some_and(|url| config::has_password(url)) {
        return chosen.remove(URL);
    }
    if chosen.contains_key(URL) {
        return None;
    }
    let given = shell.get("DATABASE_URL").filter(|url| !url.is_empty());
    let there = given.cloned().or_else(|| fs::read_to_string(file).ok())?;
    Some(there.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        pairs.map(owned).into()
    }

    #[test]
    fn only_what_the_manager_does_not_know_is_told() {
        let shell = map([
            ("HOME", "/home/ada"),
            ("CLAUDE_CONFIG_DIR", "/c"),
            ("XDG_STATE_HOME", "/s"),
            ("XDG_CONFIG_HOME", ""),
            ("HEADSPACE_SSE__MAX_CONNECTIONS", "9"),
            ("HEADSPACE_SUPERVISOR_PID_FILE", "/p"),
            ("DATABASE_URL", "postgres://a:b@c/d"),
        ]);
        let manager = map([("XDG_STATE_HOME", "/s")]);
        assert_eq!(
            choices(Scope::User, &shell, &manager),
            map([
                ("CLAUDE_CONFIG_DIR", "/c"),
                ("HEADSPACE_SSE__MAX_CONNECTIONS", "9")
            ])
        );
        assert_eq!(
            choices(Scope::System, &shell, &map([])),
            map([("HEADSPACE_SSE__MAX_CONNECTIONS", "9")])
        );
    }

    #[test]
    fn a_password_is_told_apart_and_an_earlier_secret_stays() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("database-url");
        let with = "postgres://ada:pw@localhost/x";
        let without = "postgres://ada@localhost/x";
        let secret_of = |shell: &BTreeMap<String, String>, mut chosen: BTreeMap<String, String>| {
            let secret = secret(shell, &mut chosen, &file);
            (secret, chosen)
        };
        let shell = map([("DATABASE_URL", with)]);
        assert_eq!(secret_of(&map([]), map([])), (None, map([])));
        assert_eq!(secret_of(&shell, map([])), (Some(with.into()), map([])));
        assert_eq!(
            secret_of(&map([]), map([(URL, with)])),
            (Some(with.into()), map([]))
        );
        let chosen = map([(URL, without)]);
        assert_eq!(
            secret_of(&shell, chosen.clone()),
            (None, chosen),
            "ours wins over it"
        );
        fs::write(&file, "sqlite:/x\n").unwrap();
        assert_eq!(
            secret_of(&map([]), map([])),
            (Some("sqlite:/x".into()), map([]))
        );
    }

    #[test]
    fn flags_become_settings_with_whole_paths() {
        let flags = Flags {
            config: Some("my.yaml".into()),
            log_level: Some("debug".into()),
            ..Flags::default()
        };
        let here = std::env::current_dir().unwrap().join("my.yaml");
        let expected = [
            ("HEADSPACE_CONFIG", here.to_str().unwrap()),
            ("HEADSPACE_LOGGING__LEVEL", "debug"),
        ];
        assert_eq!(of_flags(&flags), Ok(map(expected)));
    }

    #[test]
    fn one_database_is_enough() {
        let ours = database::url("ada", database::OWNER);
        let refused = |chosen: &BTreeMap<String, String>, secret| {
            refuse_another_database(&ours, chosen, secret).is_err()
        };
        assert!(!refused(&map([]), None));
        assert!(!refused(&map([(URL, &ours)]), None), "made before");
        assert!(refused(&map([(URL, "sqlite:/x")]), None));
        assert!(refused(&map([]), Some("postgres://a:b@c/d")));
    }
}
