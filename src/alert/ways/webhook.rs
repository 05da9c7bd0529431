//! Messages by HTTP: JSON, signed as standardwebhooks.com says where there is a key.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use hyper::{
    HeaderMap, Uri,
    header::{CONTENT_TYPE, HeaderValue, USER_AGENT},
};
use jiff::Timestamp;
use ring::hmac;

use super::{
    super::message::{Kind, Message, Shape},
    Fault,
    http::{self, Refusal},
};

/// Before the second try and the third. Only what was surely not taken is tried again.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// Where messages go. No `Debug`: the address and the key are secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    pub url: Uri,
    pub shape: Shape,
    pub key: Option<Vec<u8>>,
}

impl Webhook {
    pub async fn send(&self, message: &Message) -> Result<(), Fault> {
        // A chat keeps what it got.
        if message.kind == Kind::Withdrawn && self.shape != Shape::Json {
            return Ok(());
        }
        let (url, topic) = self.address();
        let body = message.shaped(self.shape, topic).to_string().into_bytes();
        let mut pauses = PAUSES.into_iter();
        loop {
            let headers = self.headers(message, &body, Timestamp::now());
            match http::post(&url, headers, body.clone()).await {
                Ok(()) => return Ok(()),
                Err(Refusal::Final(why)) => return Err(Fault(why)),
                Err(Refusal::NotTaken(why)) => match pauses.next() {
                    Some(pause) => {
                        tracing::debug!(why, "the webhook did not take an alert: {why}; retry");
                        tokio::time::sleep(pause).await;
                    }
                    None => return Err(Fault(why)),
                },
            }
        }
    }

    fn headers(&self, message: &Message, body: &[u8], now: Timestamp) -> HeaderMap {
        let id = match message.kind {
            Kind::Alert => message.id.clone(),
            Kind::Withdrawn => format!("{}.withdrawn", message.id),
        };
        let at = now.as_second().to_string();
        let mut headers = HeaderMap::new();
        let agent = concat!("headspace/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let signature = self.key.as_ref().map(|key| signature(key, &id, &at, body));
        let own = [("webhook-id", Some(id)), ("webhook-timestamp", Some(at))];
        for (name, value) in own.into_iter().chain([("webhook-signature", signature)]) {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                headers.insert(name, value);
            }
        }
        headers
    }

    /// ntfy takes JSON at its root, which names the topic that the address ends with.
    fn address(&self) -> (Uri, &str) {
        let path = self.url.path();
        let Some((above, topic)) = path.rsplit_once('/').filter(|_| self.shape == Shape::Ntfy)
        else {
            return (self.url.clone(), "");
        };
        let query = self
            .url
            .query()
            .map_or(String::new(), |query| format!("?{query}"));
        let mut parts = self.url.clone().into_parts();
        // Part of a valid address is one; if not, the address stays as it was set.
        parts.path_and_query = format!("{above}/{query}").parse().ok();
        let root = Uri::from_parts(parts).unwrap_or_else(|_| self.url.clone());
        (root, topic)
    }
}

fn signature(key: &[u8], id: &str, at: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("{id}.{at}.").as_bytes());
    context.update(body);
    format!("v1,{}", STANDARD.encode(context.sign()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of standardwebhooks.com's own libraries.
    #[test]
    fn a_signature_is_the_standard_one() {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = signature(
            &key,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn ntfy_is_asked_at_its_root_with_the_topic() {
        for (url, root, topic) in [
            ("https://ntfy.sh/mine", "https://ntfy.sh/", "mine"),
            (
                "https://box/ntfy/mine?auth=x",
                "https://box/ntfy/?auth=x",
                "mine",
            ),
        ] {
            let webhook = Webhook {
                url: url.parse().unwrap(),
                shape: Shape::Ntfy,
                key: None,
            };
            assert_eq!(webhook.address(), (root.parse().unwrap(), topic));
        }
    }
}
