//! How a message reaches a person. Each way works through its orders one by one, in a
//! task of its own: a slow one holds up nothing but itself.

mod child;
mod command;
mod desktop;
mod http;
mod webhook;

use std::collections::HashMap;

use tokio::sync::mpsc;

use super::{
    Options,
    message::{Kind, Message},
};

pub use desktop::PROGRAM as DESKTOP_PROGRAM;
pub use webhook::Webhook;

/// Orders that wait for a slow way.
const QUEUE: usize = 64;

pub enum Way {
    Desktop(desktop::Desktop),
    Webhook(Webhook),
    Command(Vec<String>),
}

/// Why a message did not reach its receiver.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct Fault(pub String);

/// A message for one way, and by which its receiver knows it, where that was kept.
pub struct Order {
    pub message: Message,
    pub receipt: Option<String>,
}

/// A message's id, and by which its receiver knows it.
pub type Receipt = (String, String);

/// The ways that are set.
pub fn of(options: &Options) -> Vec<Way> {
    let desktop = options
        .desktop
        .then(|| Way::Desktop(desktop::Desktop::default()));
    let webhook = options.webhook.clone().map(Way::Webhook);
    let command = options.command.clone().map(Way::Command);
    [desktop, webhook, command].into_iter().flatten().collect()
}

impl Way {
    pub fn name(&self) -> &'static str {
        match self {
            Way::Desktop(_) => "desktop",
            Way::Webhook(_) => "webhook",
            Way::Command(_) => "command",
        }
    }

    /// Works from now on, until no more orders can come.
    pub fn start(self, receipts: mpsc::Sender<Receipt>) -> mpsc::Sender<Order> {
        let (sender, orders) = mpsc::channel(QUEUE);
        tokio::spawn(self.work(orders, receipts));
        sender
    }

    async fn work(mut self, mut orders: mpsc::Receiver<Order>, receipts: mpsc::Sender<Receipt>) {
        // A message may be withdrawn before its receipt is in its row.
        let mut known: HashMap<String, String> = HashMap::new();
        while let Some(Order { message, receipt }) = orders.recv().await {
            let receipt = known.remove(&message.id).or(receipt);
            match self.send(&message, receipt.as_deref()).await {
                Ok(None) => {}
                Ok(Some(receipt)) => {
                    known.insert(message.id.clone(), receipt.clone());
                    // Where the loop has stopped, it is not known after a restart.
                    let _ = receipts.send((message.id, receipt)).await;
                }
                Err(fault) => warn(self.name(), &message, &fault),
            }
        }
    }

    /// Gives by which the receiver knows the message, if it does.
    async fn send(
        &mut self,
        message: &Message,
        receipt: Option<&str>,
    ) -> Result<Option<String>, Fault> {
        match (self, message.kind) {
            (Way::Desktop(desktop), Kind::Alert) => desktop.show(message).await,
            (Way::Desktop(desktop), Kind::Withdrawn) => {
                desktop.close(message, receipt).await.map(|()| None)
            }
            (Way::Webhook(webhook), _) => webhook.send(message).await.map(|()| None),
            (Way::Command(command), _) => command::run(command, message).await.map(|()| None),
        }
    }
}

pub fn warn(way: &str, message: &Message, fault: &Fault) {
    let what = match message.kind {
        Kind::Alert => "an alert was not sent",
        Kind::Withdrawn => "an alert was not withdrawn",
    };
    tracing::warn!(way, alert = message.id, %fault, "{what} by {way}, and is not tried again: {fault}");
}
