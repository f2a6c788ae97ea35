//! Colors, where a person looks at a terminal.

use std::io::IsTerminal as _;

/// How parts of the text are marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Colored,
}

/// What a part of the text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Keyword,
    /// The name of what is declared.
    Name,
    Type,
    Comment,
}

impl Style {
    /// Colors where stdout is a terminal, unless `NO_COLOR` says no.
    pub(super) fn of_stdout() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if std::io::stdout().is_terminal() && !unwanted { Self::Colored } else { Self::Plain }
    }

    pub(super) fn paint(self, part: Part, text: &str) -> String {
        let color = match part {
            _ if self == Self::Plain => return text.to_owned(),
            Part::Keyword => "34",
            Part::Name => "1",
            Part::Type => "36",
            Part::Comment => "2",
        };
        format!("\x1b[{color}m{text}\x1b[0m")
    }
}
