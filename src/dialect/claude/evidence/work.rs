//! What an agent is to do: its list, and the line that names it.

use crate::event::{Shows, TitleKind, Todo, storable};

use super::{
    super::{
        detail::{Full, ListedTodo, Maybe, TextHead, TodoList},
        json::Block,
        record::Record,
        said::Said,
    },
    text,
};

/// The whole list, if the call writes one.
pub fn todos(block: &Block<Full>) -> Option<Shows> {
    let Some(Maybe(Some(input))) = &block.input else {
        return None;
    };
    if text(&block.name)? != "TodoWrite" {
        return None;
    }
    let TodoList(Some(list)) = input.todos.as_ref()? else {
        return None;
    };
    Some(Shows::Todos(list.iter().filter_map(todo).collect()))
}

fn todo(listed: &ListedTodo) -> Option<Todo> {
    Some(Todo {
        id: None,
        content: head(&listed.content)?,
        status: text(&listed.status)?,
    })
}

/// Tasks are made and changed one by one; what the CLI did is in the result.
pub fn task(record: &Record<Full>) -> Option<Shows> {
    let Some(Maybe(Some(result))) = &record.tool_result else {
        return None;
    };
    if let Some(Maybe(Some(task))) = &result.task {
        return Some(Shows::TaskCreated {
            id: text(&task.id)?,
            subject: head(&task.subject)?,
        });
    }
    let Some(Maybe(Some(change))) = &result.status_change else {
        return None;
    };
    Some(Shows::TaskUpdated {
        id: text(&result.task_id)?,
        status: text(&change.to)?,
    })
}

/// The subagent that a call of a subagent started: its result names it, with what it
/// was given to do.
pub fn started(record: &Record<Full>) -> Option<Shows> {
    let Some(Maybe(Some(result))) = &record.tool_result else {
        return None;
    };
    let is_by_subagent = record.agent_id.is_some() && result.prompt.is_some();
    let agent_id = text(&result.agent_id).filter(|_| is_by_subagent)?;
    Some(Shows::Started { agent_id })
}

/// The first line of a prompt, a human's or the one that an agent gave to its subagent.
pub fn title(record: &Record<Full>, said: &Said) -> Option<Shows> {
    let text = match said {
        Said::User(prompt) => title_line(prompt),
        Said::Nothing
            if record.is_sidechain == Some(true) && record.kind.as_deref() == Some("user") =>
        {
            title_line(&record.prompt()?)
        }
        _ => None,
    };
    let kind = TitleKind::Prompt;
    Some(Shows::Title { kind, text: text? })
}

/// A command is named as it was typed; one without arguments says too little.
fn title_line(prompt: &str) -> Option<String> {
    if let Some(name) = tag(prompt, "command-name") {
        let arguments = first_line(tag(prompt, "command-args")?)?;
        return first_line(&format!("{} {arguments}", name.trim()));
    }
    match tag(prompt, "bash-input") {
        Some(command) => first_line(&format!("! {}", command.trim())),
        None => first_line(prompt),
    }
}

fn tag<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inside, _) = rest.split_once(&format!("</{name}>"))?;
    Some(inside)
}

/// The first line with words in it, at most 200 characters.
pub fn first_line(text: &str) -> Option<String> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    TextHead::of(line).0
}

fn head(field: &Option<TextHead>) -> Option<String> {
    field.as_ref()?.0.clone().map(storable)
}

#[cfg(test)]
mod tests {
    use super::title_line;

    #[test]
    fn a_title_is_the_first_line_as_it_was_typed() {
        for (prompt, line) in [
            ("\n  fix the parser \nplease", Some("fix the parser")),
            ("  \n", None),
            (
                "<command-message>review is running</command-message>\n<command-name>/review</command-name>\n<command-args>PR 12\nnow</command-args>",
                Some("/review PR 12"),
            ),
            (
                "<command-name>/clear</command-name><command-args></command-args>",
                None,
            ),
            ("<bash-input>ls -l</bash-input>", Some("! ls -l")),
        ] {
            assert_eq!(title_line(prompt).as_deref(), line, "{prompt}");
        }
        let long = "ü".repeat(300);
        assert_eq!(title_line(&long), Some("ü".repeat(200)));
    }
}
