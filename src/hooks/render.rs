//! New JSON in the manner of what stands around it.

/// What we add to a file.
pub enum Json {
    Text(String),
    Number(u32),
    True,
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// How the text around it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Style {
    /// On one line; a gap is what stands behind a comma and a colon.
    Flat { gap: &'static str },
    /// A line for each thing.
    Lines {
        line_end: &'static str,
        /// Of the line on which it begins.
        indent: String,
        /// For each level more.
        step: String,
    },
}

impl Style {
    /// The same one level further in.
    pub fn inner(&self) -> Style {
        match self {
            Style::Flat { gap } => Style::Flat { gap },
            Style::Lines {
                line_end,
                indent,
                step,
            } => Style::Lines {
                line_end,
                indent: format!("{indent}{step}"),
                step: step.clone(),
            },
        }
    }

    /// What stands before a thing of this level.
    pub fn lead(&self) -> String {
        match self {
            Style::Flat { .. } => String::new(),
            Style::Lines {
                line_end, indent, ..
            } => format!("{line_end}{indent}"),
        }
    }

    fn colon(&self) -> &'static str {
        match self {
            Style::Flat { gap: "" } => ":",
            _ => ": ",
        }
    }

    fn comma(&self) -> &'static str {
        match self {
            Style::Flat { gap: " " } => ", ",
            _ => ",",
        }
    }
}

pub fn member(key: &str, value: &Json, style: &Style) -> String {
    let key = text(key);
    format!("{key}{}{}", style.colon(), render(value, style))
}

pub fn render(value: &Json, style: &Style) -> String {
    let inner = style.inner();
    match value {
        Json::Text(value) => text(value),
        Json::Number(number) => number.to_string(),
        Json::True => "true".into(),
        Json::Array(values) => {
            let parts = values.iter().map(|value| render(value, &inner));
            enclosed('[', parts, ']', style)
        }
        Json::Object(members) => {
            let parts = members
                .iter()
                .map(|(key, value)| member(key, value, &inner));
            enclosed('{', parts, '}', style)
        }
    }
}

fn enclosed(open: char, parts: impl Iterator<Item = String>, close: char, style: &Style) -> String {
    let lead = style.inner().lead();
    let parts: Vec<String> = parts.map(|part| format!("{lead}{part}")).collect();
    let end = match parts.is_empty() {
        true => String::new(),
        false => style.lead(),
    };
    format!("{open}{}{end}{close}", parts.join(style.comma()))
}

fn text(text: &str) -> String {
    serde_json::to_string(text).expect("a text is JSON")
}
