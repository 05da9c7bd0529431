//! A program of the user's, which gets each message as JSON on its standard input.

use super::{
    super::message::Message,
    Fault,
    child::{self, NotRun},
};

pub async fn run(command: &[String], message: &Message) -> Result<(), Fault> {
    let Some((program, arguments)) = command.split_first() else {
        return Ok(());
    };
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut input = serde_json::to_vec(message).expect("a message is JSON");
    input.push(b'\n');
    match child::run(program, &arguments, &input).await {
        Ok(ended) if ended.is_ok => Ok(()),
        Ok(ended) => {
            // It may repeat text of the session.
            tracing::debug!(errors = ended.errors, "{program} said: {}", ended.errors);
            Err(Fault(format!("{program} ended with {}", ended.status)))
        }
        Err(NotRun::Missing) => Err(Fault(format!("there is no program {program}"))),
        Err(NotRun::Fault(fault)) => Err(fault),
    }
}
