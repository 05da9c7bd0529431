//! The environment of the services: what their manager sets, and what our
//! drop-in adds.

use std::{collections::BTreeMap, fs, path::Path};

use super::{InstallRefused, facts::Request, manifest::Manifest, target::Target};
use crate::config::{self, Flags};

const URL: &str = "HEADSPACE_DATABASE__URL";
/// Every user of the machine can read what stands in a unit.
const SECRETS: [&str; 2] = [
    "HEADSPACE_NOTIFY__WEBHOOK_URL",
    "HEADSPACE_NOTIFY__WEBHOOK_SECRET",
];

pub struct ServiceEnv {
    /// Set by our drop-in: chosen now or at an earlier installation.
    pub chosen: BTreeMap<String, String>,
    /// The database's address, which may hold a password.
    pub secret: Option<String>,
}

impl ServiceEnv {
    pub fn new(
        target: &Target,
        request: &Request,
        earlier: Option<&Manifest>,
    ) -> Result<ServiceEnv, InstallRefused> {
        let mut chosen = earlier.map_or_else(BTreeMap::new, |earlier| earlier.environment.clone());
        chosen.extend(choices(target, &request.shell));
        refuse_secrets(target, &chosen)?;
        chosen.extend(of_flags(&request.flags)?);
        let secret = secret(&request.shell, &mut chosen, &target.secret_path());
        Ok(ServiceEnv { chosen, secret })
    }

    /// The environment as the services will have it.
    pub fn all(&self, target: &Target) -> BTreeMap<String, String> {
        let mut all = target.surroundings.clone();
        all.extend(self.chosen.clone());
        let secret = self.secret.clone();
        all.extend(secret.map(|url| ("DATABASE_URL".to_owned(), url)));
        all
    }
}

/// What this shell sets and the manager does not. Of root's shell only what is
/// meant for headspace counts: its folders are root's.
fn choices(target: &Target, shell: &BTreeMap<String, String>) -> BTreeMap<String, String> {
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
        |name: &str| is_setting(name) || !target.is_system() && of_the_user.contains(&name);
    let new = shell.iter().filter(|(name, value)| {
        counts(name) && !value.is_empty() && target.surroundings.get(*name) != Some(value)
    });
    new.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn refuse_secrets(
    target: &Target,
    chosen: &BTreeMap<String, String>,
) -> Result<(), InstallRefused> {
    match SECRETS.into_iter().find(|name| chosen.contains_key(*name)) {
        None => Ok(()),
        Some(name) => Err(InstallRefused(format!(
            "{name} is a secret, and every user can read a unit's environment: unset it, and set \
             notify in {}",
            target.config_folder().join("config.yaml").display()
        ))),
    }
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

/// An address that may hold a password goes into a file; the one of an earlier
/// installation stays.
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
    let found = given.cloned().or_else(|| fs::read_to_string(file).ok())?;
    Some(found.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{install::tests::target, supervise::unit::Manager};

    fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        pairs.map(owned).into()
    }

    #[test]
    fn only_what_the_manager_does_not_set_is_added() {
        let shell = map([
            ("HOME", "/home/ada"),
            ("CLAUDE_CONFIG_DIR", "/c"),
            ("XDG_STATE_HOME", "/s"),
            ("XDG_CONFIG_HOME", ""),
            ("HEADSPACE_SSE__MAX_CONNECTIONS", "9"),
            ("HEADSPACE_SUPERVISOR_PID_FILE", "/p"),
            ("DATABASE_URL", "postgres://a:b@c/d"),
        ]);
        let mut user = target(Manager::User);
        user.surroundings
            .insert("XDG_STATE_HOME".into(), "/s".into());
        let setting = ("HEADSPACE_SSE__MAX_CONNECTIONS", "9");
        let expected = map([("CLAUDE_CONFIG_DIR", "/c"), setting]);
        assert_eq!(choices(&user, &shell), expected);
        assert_eq!(choices(&target(Manager::System), &shell), map([setting]));
    }

    #[test]
    fn a_secret_of_alerts_is_refused_and_not_repeated() {
        let refused = refuse_secrets(
            &target(Manager::User),
            &map([("HEADSPACE_NOTIFY__WEBHOOK_URL", "https://host/geheim")]),
        );
        let said = refused.unwrap_err().to_string();
        assert!(
            said.contains(".config/headspace/config.yaml") && !said.contains("geheim"),
            "{said}"
        );
        let harmless = map([("HEADSPACE_NOTIFY__DESKTOP", "true")]);
        assert_eq!(refuse_secrets(&target(Manager::User), &harmless), Ok(()));
    }

    #[test]
    fn an_address_with_a_password_is_kept_apart_and_an_earlier_one_stays() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("database-url");
        let with = "postgres://ada:pw@localhost/x";
        let without = map([(URL, "postgres://ada@localhost/x")]);
        let secret_of = |shell: &BTreeMap<String, String>, mut chosen: BTreeMap<String, String>| {
            let secret = secret(shell, &mut chosen, &file);
            (secret, chosen)
        };
        let shell = map([("DATABASE_URL", with)]);
        assert_eq!(secret_of(&map([]), map([])), (None, map([])));
        assert_eq!(secret_of(&shell, map([])), (Some(with.into()), map([])));
        let chosen = map([(URL, with)]);
        assert_eq!(secret_of(&map([]), chosen), (Some(with.into()), map([])));
        assert_eq!(
            secret_of(&shell, without.clone()),
            (None, without),
            "ours wins"
        );
        fs::write(&file, "sqlite:/x\n").unwrap();
        let earlier = Some("sqlite:/x".to_owned());
        assert_eq!(secret_of(&map([]), map([])), (earlier, map([])));
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
}
