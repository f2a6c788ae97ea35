//! What is said on stderr, and text of others that a terminal is to get.

use std::io::Write as _;

/// The exit code where what was asked for cannot be written to stdout (`EX_IOERR`).
pub(crate) const NOT_WRITTEN: u8 = 74;

/// Writes a line to stderr. That nobody reads it changes nothing about what the program does, so an error is ignored.
pub fn tell(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Text of a peer without control characters, which would move the cursor or set colours.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\x1b[31mé\r\n\u{9b}\x7f"), "a [31mé    ");
    }
}
