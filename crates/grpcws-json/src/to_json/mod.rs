//! Wire bytes → JSON.
//!
//! `message` goes over fields that arrive in the order of their numbers and prints each as it passes. `any_order`
//! takes over where a message is not in that order, or sets a field twice: it sorts the records first.

mod any;
mod any_order;
mod entries;
mod map;
mod message;
mod packed;
mod scalar;
mod string;
mod time;
mod unpopulated;
mod value;
mod well_known;
mod writer;

pub(crate) use string::put_string;

use writer::{Stop, Writer};

use crate::error::{ToJsonError, ToJsonErrorKind};
use crate::missing::MissingTypes;
use crate::options::MarshalOptions;
use crate::table::{FieldDescriptor, Message};

impl Message {
    /// Appends the JSON of the message in `wire` to `out`.
    ///
    /// Fields are printed in the order of their numbers, whatever their order in `wire`. Unknown fields are left
    /// out. Whether required fields are there is not looked at: whoever encoded the message has done so, or chosen
    /// not to.
    ///
    /// # Errors
    /// `wire` is not this message, or has a value without a JSON form: an `Any` of a type that is not in the table, a string that
    /// is not UTF-8, a timestamp that is out of range. `out` is then as it was.
    ///
    /// # Examples
    /// ```
    /// let table = grpcws_json::Table::from_file_descriptor_set(&[])?;
    /// let duration = table.message("google.protobuf.Duration").expect("well-known types are always there");
    /// let mut json = Vec::new();
    /// duration.to_json(&[0x08, 0x03], &Default::default(), &mut json)?;
    /// assert_eq!(json, br#""3s""#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_json(
        &self,
        wire: &[u8],
        options: &MarshalOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), ToJsonError> {
        print(self, wire, options, out, None, |writer| writer.outermost(self.index))
    }

    /// As [`to_json`](Self::to_json), and notes the types and extensions that the table lacks in `missing`, also where
    /// that is no error: because of [`opaque_any`](MarshalOptions::opaque_any), or as unknown fields are left out.
    ///
    /// # Errors
    /// As [`to_json`](Self::to_json).
    pub fn to_json_noting(
        &self,
        wire: &[u8],
        options: &MarshalOptions,
        out: &mut Vec<u8>,
        missing: &mut MissingTypes,
    ) -> Result<(), ToJsonError> {
        print(self, wire, options, out, Some(missing), |writer| writer.outermost(self.index))
    }
}

impl FieldDescriptor {
    /// Appends the JSON of the field's value in a message, which `wire` is. A field that is not set has the JSON of its
    /// default value if it has no presence, and else `null`; a list is then `[]` and a map `{}`.
    ///
    /// # Errors
    /// As [`Message::to_json`]. What other fields have is only looked at as far as it takes to pass over them.
    ///
    /// # Examples
    /// ```
    /// # let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proto");
    /// # let descriptors = protox::Compiler::new([directory])?.open_file("game.proto")?.encode_file_descriptor_set();
    /// let table = grpcws_json::Table::from_file_descriptor_set(&descriptors)?;
    /// let request = table.message("game.v1.SubscribeRequest").ok_or("no such message")?;
    /// let game_id = request.field("game_id").ok_or("no such field")?;
    /// let mut json = Vec::new();
    /// game_id.to_json(b"\x0a\x05chess", &Default::default(), &mut json)?;
    /// assert_eq!(json, br#""chess""#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_json(
        &self,
        wire: &[u8],
        options: &MarshalOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), ToJsonError> {
        self.print(wire, options, out, None)
    }

    /// As [`to_json`](Self::to_json), and notes what the table lacks as [`Message::to_json_noting`] does.
    ///
    /// # Errors
    /// As [`to_json`](Self::to_json).
    pub fn to_json_noting(
        &self,
        wire: &[u8],
        options: &MarshalOptions,
        out: &mut Vec<u8>,
        missing: &mut MissingTypes,
    ) -> Result<(), ToJsonError> {
        self.print(wire, options, out, Some(missing))
    }

    fn print(
        &self,
        wire: &[u8],
        options: &MarshalOptions,
        out: &mut Vec<u8>,
        missing: Option<&mut MissingTypes>,
    ) -> Result<(), ToJsonError> {
        let (message, index) = (&self.message, self.index);
        print(message, wire, options, out, missing, |writer| writer.outermost_field(message.index, index))
    }
}

/// Prints in the order of the fields, and sorts them if they are in another one. What is printed before an error is taken
/// back.
#[inline]
fn print<'a>(
    message: &'a Message,
    wire: &'a [u8],
    options: &MarshalOptions,
    out: &mut Vec<u8>,
    missing: Option<&'a mut MissingTypes>,
    print: impl Fn(&mut Writer<'a>) -> Result<(), Stop>,
) -> Result<(), ToJsonError> {
    let start = out.len();
    // For as long as this takes, the writer has the buffer itself: one step less to it from everywhere.
    let mut writer = Writer::new(&message.data, wire, options, std::mem::take(out));
    writer.missing = missing;
    let mut result = print(&mut writer);
    if let Err(Stop::Disorder) = result {
        writer.start_again(start);
        result = print(&mut writer);
    }
    *out = writer.out;
    match result {
        Ok(()) => Ok(()),
        Err(stop) => {
            out.truncate(start);
            Err(match stop {
                Stop::Failed(error) => error,
                Stop::Disorder => ToJsonError::new(ToJsonErrorKind::Malformed("the order of the fields"), 0),
            })
        }
    }
}
