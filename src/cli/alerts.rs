//! The settings of alerts, as the stage takes them.

use crate::{
    alert::{self, Options, Webhook},
    config::{Settings, Shape, WebhookSecret},
};

pub fn options(settings: &Settings) -> Options {
    let notify = &settings.notify;
    Options {
        host: super::host(),
        desktop: notify.desktop,
        webhook: notify.webhook_url.as_ref().map(|url| Webhook {
            url: url.uri().clone(),
            shape: match url.shape(notify.webhook_shape) {
                Shape::Auto | Shape::Json => alert::Shape::Json,
                Shape::Slack => alert::Shape::Slack,
                Shape::Discord => alert::Shape::Discord,
                Shape::Ntfy => alert::Shape::Ntfy,
            },
            key: notify
                .webhook_secret
                .as_ref()
                .map(WebhookSecret::key)
                .map(<[u8]>::to_vec),
        }),
        command: notify.command.clone(),
        finished: notify.finished,
    }
}
