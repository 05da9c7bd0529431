//! Where alerts are posted to, and by whom they are signed. Both are secrets: the path
//! of a webhook is all that a chat asks for.

use std::{fmt, net::IpAddr, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD};
use hyper::Uri;
use serde::{Deserialize, Serialize, Serializer};

/// A checked address. Shown, serialised or logged, it hides its path.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct WebhookUrl(Uri);

/// The key that requests are signed with. It is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct WebhookSecret(Vec<u8>);

/// What the body of a request looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// By the address.
    #[default]
    Auto,
    Json,
    Slack,
    Discord,
    Ntfy,
}

impl WebhookUrl {
    pub fn uri(&self) -> &Uri {
        &self.0
    }

    fn host(&self) -> &str {
        let host = self.0.host().unwrap_or_default();
        host.trim_matches(['[', ']'])
    }

    /// The host, if it is another machine.
    pub fn remote_host(&self) -> Option<&str> {
        let host = self.host();
        let address: Option<IpAddr> = host.parse().ok();
        let is_near = host == "localhost" || address.is_some_and(|address| address.is_loopback());
        (!is_near).then_some(host)
    }

    /// What a chat at this address takes.
    pub fn shape(&self, chosen: Shape) -> Shape {
        match (chosen, self.host()) {
            (Shape::Auto, "hooks.slack.com") => Shape::Slack,
            (Shape::Auto, "discord.com" | "discordapp.com") => Shape::Discord,
            (Shape::Auto, "ntfy.sh") => Shape::Ntfy,
            (Shape::Auto, _) => Shape::Json,
            (chosen, _) => chosen,
        }
    }
}

impl WebhookSecret {
    pub fn key(&self) -> &[u8] {
        &self.0
    }
}

/// What is wrong is said without repeating the address.
impl TryFrom<String> for WebhookUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<WebhookUrl, &'static str> {
        let expected = "expected an address such as https://host/path";
        let uri = Uri::from_str(&text).map_err(|_| expected)?;
        let authority = uri.authority().ok_or(expected)?;
        match uri.scheme_str() {
            Some("http" | "https") if !authority.host().is_empty() => {}
            _ => return Err(expected),
        }
        match authority.as_str().contains('@') {
            true => Err("expected an address without a user and password"),
            false => Ok(WebhookUrl(uri)),
        }
    }
}

/// `whsec_` and base64 as standardwebhooks.com has it, or any other text as it is.
impl TryFrom<String> for WebhookSecret {
    type Error = &'static str;

    fn try_from(text: String) -> Result<WebhookSecret, &'static str> {
        let key = match text.strip_prefix("whsec_") {
            None => text.into_bytes(),
            Some(encoded) => STANDARD
                .decode(encoded)
                .map_err(|_| "expected base64 behind whsec_")?,
        };
        match key.is_empty() {
            true => Err("expected a text that is not empty, or null"),
            false => Ok(WebhookSecret(key)),
        }
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.scheme_str().unwrap_or_default();
        let authority = self
            .0
            .authority()
            .map_or("", |authority| authority.as_str());
        write!(f, "{scheme}://{authority}/***")
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for WebhookUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for WebhookSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Result<WebhookUrl, &'static str> {
        WebhookUrl::try_from(text.to_owned())
    }

    #[test]
    fn an_address_is_checked_and_its_path_is_hidden() {
        for wrong in [
            "",
            "hooks.slack.com/x",
            "ftp://a/b",
            "https:///x",
            "/a",
            "https://u:p@h/x",
        ] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
        let known = url("https://hooks.slack.com/services/T0/geheim?x=1").unwrap();
        assert_eq!(known.to_string(), "https://hooks.slack.com/***");
        assert!(!format!("{known:?}").contains("geheim"));
        assert_eq!(known.uri().path(), "/services/T0/geheim");
    }

    #[test]
    fn a_chat_is_known_by_its_host_unless_a_shape_is_chosen() {
        for (text, chosen, shape) in [
            ("https://hooks.slack.com/x", Shape::Auto, Shape::Slack),
            (
                "https://discord.com/api/webhooks/1/x",
                Shape::Auto,
                Shape::Discord,
            ),
            ("https://ntfy.sh/topic", Shape::Auto, Shape::Ntfy),
            ("https://ntfy.example/topic", Shape::Auto, Shape::Json),
            ("https://ntfy.example/topic", Shape::Ntfy, Shape::Ntfy),
        ] {
            assert_eq!(url(text).unwrap().shape(chosen), shape, "{text}");
        }
    }

    #[test]
    fn only_other_machines_are_remote() {
        for (text, host) in [
            ("http://localhost:8/x", None),
            ("http://127.0.0.1/x", None),
            ("http://[::1]:9/x", None),
            ("http://10.0.0.7:80/x", Some("10.0.0.7")),
            ("http://[2001:db8::1]/x", Some("2001:db8::1")),
            ("https://ntfy.sh/x", Some("ntfy.sh")),
        ] {
            assert_eq!(url(text).unwrap().remote_host(), host, "{text}");
        }
    }

    #[test]
    fn a_secret_is_a_text_or_base64() {
        let key = |text: &str| WebhookSecret::try_from(text.to_owned()).map(|secret| secret.0);
        assert_eq!(key("plain"), Ok(b"plain".to_vec()));
        assert_eq!(key("whsec_AAEC"), Ok(vec![0, 1, 2]));
        assert!(key("").is_err() && key("whsec_").is_err() && key("whsec_?").is_err());
    }
}
