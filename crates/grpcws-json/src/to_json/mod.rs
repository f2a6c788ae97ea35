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
use crate::table::Message;

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
        self.print(wire, options, out, None)
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
        self.print(wire, options, out, Some(missing))
    }

    fn print(
        &self,
        wire: &[u8],
        options: &MarshalOptions,
        out: &mut Vec<u8>,
        missing: Option<&mut MissingTypes>,
    ) -> Result<(), ToJsonError> {
        let start = out.len();
        // For as long as this takes, the writer has the buffer itself: one step less to it from everywhere.
        let mut writer = Writer::new(&self.data, wire, options, std::mem::take(out));
        writer.missing = missing.is_some().then(MissingTypes::default);
        let mut result = writer.outermost(self.index);
        if let Err(Stop::Disorder) = result {
            writer.start_again(start);
            result = writer.outermost(self.index);
        }
        *out = writer.out;
        if let (Some(missing), Some(noted)) = (missing, writer.missing) {
            missing.append(noted);
        }
        match result {
            Ok(()) => Ok(()),
            Err(stop) => {
                out.truncate(start);
                Err(match stop {
                    Stop::Failed(error) => error,
                    Stop::Disorder => {
                        ToJsonError::new(ToJsonErrorKind::Malformed("the order of the fields"), 0)
                    }
                })
            }
        }
    }
}
