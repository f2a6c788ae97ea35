//! Where one message of the input ends and the next one begins.

/// The most bytes of one message. No gateway takes as much by default.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// The byte order mark that some programs write in front of UTF-8. It belongs to no message.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// How the input is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// At the end of each JSON value, whatever stands between them.
    Values,
    /// At the end of each line that is not blank.
    Lines,
    /// At the end of each line, blank or not.
    AllLines,
}

/// One message of the input, and the line on which it begins, counted from 1.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) line: usize,
    pub(super) bytes: Vec<u8>,
}

/// One message is larger than what is read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: the message is larger than {} MiB", MAX_MESSAGE / 1024 / 1024)]
pub(super) struct TooLarge {
    line: usize,
}

/// Cuts bytes, in whatever pieces they come.
#[derive(Debug)]
pub(super) struct Splitter {
    cut: Cut,
    buffer: Vec<u8>,
    /// How many bytes of the buffer were looked at.
    scanned: usize,
    /// The line of the first byte in the buffer.
    line: usize,
    /// Whether what comes next is the start of the input.
    at_start: bool,
    value: Value,
}

/// Where in a JSON value the scan is.
#[derive(Debug, Default)]
struct Value {
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// A number or a word, which has no closing character.
    in_word: bool,
}

impl Splitter {
    pub(super) fn new(cut: Cut) -> Self {
        Self { cut, buffer: Vec::new(), scanned: 0, line: 1, at_start: true, value: Value::default() }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        if self.at_start && !MARK.starts_with(&self.buffer) {
            self.at_start = false;
            if self.buffer.starts_with(MARK) {
                self.buffer.drain(..MARK.len());
            }
        }
    }

    /// The next message that is complete.
    pub(super) fn next_piece(&mut self) -> Result<Option<Piece>, TooLarge> {
        if self.at_start {
            return Ok(None);
        }
        loop {
            if self.scanned == 0 && self.cut == Cut::Values {
                self.skip_blanks();
            }
            let Some(end) = self.find_end() else {
                return if self.buffer.len() > MAX_MESSAGE {
                    Err(TooLarge { line: self.line })
                } else {
                    Ok(None)
                };
            };
            let piece = self.take(end);
            if self.cut != Cut::Lines || !piece.bytes.trim_ascii().is_empty() {
                return Ok(Some(piece));
            }
        }
    }

    /// What is left at the end of the input, if it is anything.
    pub(super) fn finish(&mut self) -> Option<Piece> {
        if std::mem::take(&mut self.at_start) && self.buffer == MARK {
            self.buffer.clear();
        }
        let rest = self.take(self.buffer.len());
        let empty = match self.cut {
            // A last line without its end is a line, unless there is nothing in it.
            Cut::AllLines => rest.bytes.is_empty(),
            Cut::Values | Cut::Lines => rest.bytes.trim_ascii().is_empty(),
        };
        (!empty).then_some(rest)
    }

    fn skip_blanks(&mut self) {
        let blanks = self.buffer.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.take(blanks);
    }

    /// The length of the first message, if its end is there.
    fn find_end(&mut self) -> Option<usize> {
        let unseen = self.buffer.get(self.scanned..).unwrap_or_default();
        let found = match self.cut {
            Cut::Values => unseen.iter().enumerate().find_map(|(at, byte)| self.value.end(at, *byte)),
            Cut::Lines | Cut::AllLines => unseen.iter().position(|byte| *byte == b'\n').map(|at| at + 1),
        };
        match found {
            Some(length) => Some(self.scanned + length),
            None => {
                self.scanned = self.buffer.len();
                None
            }
        }
    }

    fn take(&mut self, length: usize) -> Piece {
        let rest = self.buffer.split_off(length.min(self.buffer.len()));
        let mut bytes = std::mem::replace(&mut self.buffer, rest);
        let line = self.line;
        self.line += bytes.iter().filter(|byte| **byte == b'\n').count();
        self.scanned = 0;
        self.value = Value::default();
        if self.cut != Cut::Values {
            while bytes.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
                bytes.pop();
            }
        }
        Piece { line, bytes }
    }
}

impl Value {
    /// The length of the value, if it ends with this byte or right before it. What is no JSON is cut somewhere; whoever
    /// reads it says what is wrong.
    fn end(&mut self, at: usize, byte: u8) -> Option<usize> {
        if self.in_string {
            if self.escaped {
                self.escaped = false;
            } else if byte == b'\\' {
                self.escaped = true;
            } else if byte == b'"' {
                self.in_string = false;
                return (self.depth == 0).then_some(at + 1);
            }
            return None;
        }
        if self.in_word && self.depth == 0 && (byte.is_ascii_whitespace() || b"\"{[".contains(&byte)) {
            return Some(at);
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                return (self.depth == 0).then_some(at + 1);
            }
            _ => self.in_word = self.depth == 0,
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces, with the input pushed in chunks of this size.
    fn pieces(cut: Cut, input: &str, size: usize) -> Vec<(usize, String)> {
        let mut splitter = Splitter::new(cut);
        let mut found = Vec::new();
        for chunk in input.as_bytes().chunks(size) {
            splitter.push(chunk);
            while let Some(piece) = splitter.next_piece().expect("small") {
                found.push(piece);
            }
        }
        found.extend(splitter.finish());
        let text = |piece: Piece| (piece.line, String::from_utf8(piece.bytes).expect("text"));
        found.into_iter().map(text).collect()
    }

    #[test]
    fn values_end_where_they_end() {
        let input = "{\"a\":\"}\\\"\"}{} [1,\n[2]]\n\n5 \"x y\"true\"a\"\n nul";
        for size in 1..=input.len() {
            let found = pieces(Cut::Values, input, size);
            let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
            let expected = ["{\"a\":\"}\\\"\"}", "{}", "[1,\n[2]]", "5", "\"x y\"", "true", "\"a\"", "nul"];
            assert_eq!(texts, expected, "in chunks of {size}");
            assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 1, 1, 4, 4, 4, 4, 5]);
        }
    }

    #[test]
    fn what_is_no_value_is_a_piece_all_the_same() {
        assert_eq!(pieces(Cut::Values, "} {", 1), [(1, "}".to_owned()), (1, "{".to_owned())]);
        assert_eq!(pieces(Cut::Values, " \n ", 1), []);
    }

    #[test]
    fn a_byte_order_mark_at_the_start_is_passed_over() {
        for size in 1..5 {
            assert_eq!(pieces(Cut::Values, "\u{feff}{} \u{feff}", size)[0], (1, "{}".to_owned()));
            assert_eq!(pieces(Cut::AllLines, "\u{feff}a\n", size), [(1, "a".to_owned())]);
            assert_eq!(pieces(Cut::Values, "\u{feff}", size), []);
        }
    }

    #[test]
    fn lines_are_cut_at_their_ends() {
        let line = |number, text: &str| (number, text.to_owned());
        assert_eq!(pieces(Cut::Lines, "a\r\n\n  \nb", 2), [line(1, "a"), line(4, "b")]);
        assert_eq!(pieces(Cut::AllLines, "a\n\nb\n", 2), [line(1, "a"), line(2, ""), line(3, "b")]);
    }
}
