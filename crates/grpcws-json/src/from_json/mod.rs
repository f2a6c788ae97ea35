//! JSON → wire bytes, in one pass over the text: fields are written in the order in which the text has them.

mod any;
mod any_types;
mod decimal;
mod enums;
mod field;
mod lexer;
mod map;
mod message;
mod number;
mod parser;
mod scalar;
mod seen;
mod skip;
mod string;
mod time;
mod value;
mod well_known;

use std::ops::Range;

use parser::{Parser, Step};

use crate::error::{FromJsonError, FromJsonErrorKind};
use crate::options::UnmarshalOptions;
use crate::table::{FieldDescriptor, Message, TableData};

impl Message {
    /// Appends the wire bytes of the message that `json` is, white space around it allowed, to `out`.
    ///
    /// Fields are written in the order of the text, except that those which may be omitted (zero without presence) are. Of a map's
    /// entries with one key all are written, and the last one counts.
    ///
    /// # Errors
    /// `json` is not JSON, or not this message; the error says where. `out` is then as it was.
    ///
    /// # Examples
    /// ```
    /// let table = grpcws_json::Table::from_file_descriptor_set(&[])?;
    /// let duration = table.message("google.protobuf.Duration").expect("well-known types are always there");
    /// let mut wire = Vec::new();
    /// duration.from_json(br#" "3s" "#, &Default::default(), &mut wire)?;
    /// assert_eq!(wire, [0x08, 0x03]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_json(
        &self,
        json: &[u8],
        options: &UnmarshalOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), FromJsonError> {
        self.from_json_in(json, 0..json.len(), options, out)
    }

    /// As [`from_json`](Self::from_json) for a value at the beginning of `json`; returns how many bytes it takes, white
    /// space before it included.
    ///
    /// # Errors
    /// As [`from_json`](Self::from_json).
    pub fn from_json_prefix(
        &self,
        json: &[u8],
        options: &UnmarshalOptions,
        out: &mut Vec<u8>,
    ) -> Result<usize, FromJsonError> {
        self.from_json_at(json, 0, options, out)
    }

    /// As [`from_json`](Self::from_json) for a value that starts at byte `offset` of a larger document, or after white space
    /// there; returns the offset behind it. Errors name the position in the document.
    ///
    /// # Errors
    /// As [`from_json`](Self::from_json).
    ///
    /// # Examples
    /// ```
    /// let table = grpcws_json::Table::from_file_descriptor_set(&[])?;
    /// let duration = table.message("google.protobuf.Duration").expect("well-known types are always there");
    /// let document = br#"{"type": "data", "data": "3s"}"#;
    /// let end = duration.from_json_at(document, 24, &Default::default(), &mut Vec::new())?;
    /// assert_eq!(&document[end..], b"}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_json_at(
        &self,
        document: &[u8],
        offset: usize,
        options: &UnmarshalOptions,
        out: &mut Vec<u8>,
    ) -> Result<usize, FromJsonError> {
        let start = out.len();
        let mut parser = Parser::new(&self.data, document, offset, options, out);
        match parser.outermost(self.index) {
            Ok(()) => Ok(parser.offset()),
            Err(error) => {
                out.truncate(start);
                Err(error.located_in(document))
            }
        }
    }

    /// As [`from_json`](Self::from_json) for a value that is in `range` of a larger document. Errors name the
    /// position in the document.
    ///
    /// # Errors
    /// As [`from_json`](Self::from_json).
    pub fn from_json_in(
        &self,
        document: &[u8],
        range: Range<usize>,
        options: &UnmarshalOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), FromJsonError> {
        read(&self.data, document, range, options, out, |parser| parser.outermost(self.index))
    }
}

impl FieldDescriptor {
    /// Appends the wire bytes of a message that has nothing but this field, whose value is in `range` of a document: for a
    /// list an array, for a map an object. `null` sets nothing, except if it is a value of the type. Errors name the
    /// position in the document.
    ///
    /// # Errors
    /// The text is not JSON, or not a value of this field. `out` is then as it was.
    ///
    /// # Examples
    /// ```
    /// # let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proto");
    /// # let descriptors = protox::Compiler::new([directory])?.open_file("game.proto")?.encode_file_descriptor_set();
    /// let table = grpcws_json::Table::from_file_descriptor_set(&descriptors)?;
    /// let request = table.message("game.v1.SubscribeRequest").ok_or("no such message")?;
    /// let game_id = request.field("game_id").ok_or("no such field")?;
    /// let (document, mut wire) = (br#"{"data": "chess"}"#, Vec::new());
    /// game_id.from_json_in(document, 9..16, &Default::default(), &mut wire)?;
    /// assert_eq!(wire, b"\x0a\x05chess");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_json_in(
        &self,
        document: &[u8],
        range: Range<usize>,
        options: &UnmarshalOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), FromJsonError> {
        let (message, index) = (&self.message, self.index);
        read(&message.data, document, range, options, out, |parser| {
            parser.outermost_field(message.index, index)
        })
    }
}

/// Reads a value that is all of `range`. What is written before an error is taken back.
#[inline]
fn read(
    table: &TableData,
    document: &[u8],
    range: Range<usize>,
    options: &UnmarshalOptions,
    out: &mut Vec<u8>,
    value: impl FnOnce(&mut Parser<'_>) -> Step,
) -> Result<(), FromJsonError> {
    let start = out.len();
    let text = document.get(..range.end).unwrap_or(document);
    let mut parser = Parser::new(table, text, range.start, options, out);
    let mut result = value(&mut parser);
    if result.is_ok() && parser.peek().is_some() {
        let kind = FromJsonErrorKind::Syntax("there is more text behind the value");
        result = Err(FromJsonError::new(kind, parser.offset()));
    }
    result.map_err(|error| {
        out.truncate(start);
        error.located_in(document)
    })
}
