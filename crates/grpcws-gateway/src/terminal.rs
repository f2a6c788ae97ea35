//! What is said on stderr, and text of others that a terminal is to get.

use std::io::Write as _;

/// The exit code where what was asked for cannot be written to stdout (`EX_IOERR`).
pub(crate) const NOT_WRITTEN: u8 = 74;

/// Writes a line to stderr. That nobody reads it changes nothing about what the program does, so an error is ignored.
pub fn tell(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Text of a peer without characters that would move the cursor, set colours, or show the rest in another order.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().map(|char| if commands_terminal(char) { ' ' } else { char }).collect()
}

/// Whether a terminal obeys a character in place of showing it: control characters of both ranges, and those that turn
/// the direction of text, with which a line can be made to read as another one.
pub(crate) fn commands_terminal(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\x1b[31mé\r\n\u{9b}\x7f\u{202e}"), "a [31mé     ");
    }
}
