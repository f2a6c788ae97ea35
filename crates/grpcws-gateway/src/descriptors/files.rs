//! Descriptors by the names of their files.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use bytes::Bytes;
use prost::{DecodeError, Message};
use prost_types::{FileDescriptorProto, SourceCodeInfo};

use super::outline::Outline;

/// Descriptors of files, each under its name. The order is that of the names, so that the same files make the same set.
#[derive(Clone, Default, PartialEq)]
pub struct FileSet {
    files: BTreeMap<String, DescriptorFile>,
}

/// The descriptor of one file, as bytes: decoded it takes many times as much memory, and nothing that serves needs that.
#[derive(Clone)]
pub struct DescriptorFile {
    bytes: Bytes,
    name: Box<str>,
    /// Of files that declare the same name, the one with the least order counts.
    order: usize,
    /// For those who look into it.
    decoded: OnceLock<FileDescriptorProto>,
}

/// A `FileDescriptorSet` whose files are left as they are.
#[derive(Clone, PartialEq, Message)]
struct RawSet {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    file: Vec<Bytes>,
}

/// What `prost_types` drops of a file: its edition.
#[derive(Clone, PartialEq, Message)]
struct Head {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "12")]
    syntax: String,
    #[prost(int32, tag = "14")]
    edition: i32,
}

/// Files are equal if their bytes are.
impl PartialEq for DescriptorFile {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl FileSet {
    /// Adds the files of a serialized `FileDescriptorSet` whose names are new.
    pub(super) fn extend_from_set(&mut self, set: Bytes) -> Result<(), DecodeError> {
        for bytes in RawSet::decode(set)?.file {
            self.insert(DescriptorFile::decode(bytes)?);
        }
        Ok(())
    }

    /// Adds a file, unless there is one of its name.
    pub(super) fn insert(&mut self, file: DescriptorFile) {
        self.files.entry(file.name().to_owned()).or_insert(file);
    }

    /// Adds those of another set whose names are new.
    pub(super) fn extend(&mut self, other: Self) {
        other.files.into_values().for_each(|file| self.insert(file));
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<DescriptorFile> {
        self.files.remove(name)
    }

    /// The file of this name.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&DescriptorFile> {
        self.files.get(name)
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    /// The bytes of all files together.
    pub(super) fn bytes(&self) -> usize {
        self.iter().map(DescriptorFile::len).sum()
    }

    /// All files.
    pub fn iter(&self) -> impl Iterator<Item = &DescriptorFile> {
        self.files.values()
    }

    /// The serialized `FileDescriptorSet`.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        RawSet { file: self.iter().map(|file| file.bytes.clone()).collect() }.encode_to_vec().into()
    }
}

impl DescriptorFile {
    pub(super) fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let outline = Outline::decode(&*bytes)?;
        Ok(Self { bytes, name: outline.name.into(), order: 0, decoded: OnceLock::new() })
    }

    pub(super) fn ordered(mut self, order: usize) -> Self {
        self.order = order;
        self
    }

    pub(super) fn order(&self) -> usize {
        self.order
    }

    /// The same file under another name.
    pub(super) fn renamed(&self, name: &str) -> Self {
        // The last one of a field counts.
        let head = Head { name: name.to_owned(), ..Head::default() };
        let bytes = [&*self.bytes, &*head.encode_to_vec()].concat().into();
        Self { bytes, name: name.into(), order: self.order, decoded: OnceLock::new() }
    }

    /// The name: `game/v1/game.proto`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it declares. Options that `prost_types` does not know are not there.
    #[must_use]
    pub fn descriptor(&self) -> &FileDescriptorProto {
        self.decoded.get_or_init(|| self.without_comments())
    }

    /// Comments can be most of a descriptor; nothing here shows them.
    fn without_comments(&self) -> FileDescriptorProto {
        let mut descriptor = FileDescriptorProto::decode(&*self.bytes).unwrap_or_default();
        descriptor.source_code_info = None;
        descriptor
    }

    /// Whether another file says the same, perhaps in other bytes.
    pub(super) fn says_the_same_as(&self, other: &Self) -> bool {
        self == other || self.without_comments() == other.without_comments()
    }

    /// The names and types in it.
    pub(super) fn outline(&self) -> Outline {
        Outline::decode(&*self.bytes).unwrap_or_default()
    }

    /// Where in the source what it declares stands, with the comments. It is read anew for each question.
    pub(crate) fn source_info(&self) -> Option<SourceCodeInfo> {
        FileDescriptorProto::decode(&*self.bytes).ok()?.source_code_info
    }

    /// The length of the serialized descriptor.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The full names of its messages, enums, services and extensions.
    pub(super) fn declared(&self) -> Vec<String> {
        self.outline().declared()
    }

    /// The full names of its services.
    pub(super) fn services(&self) -> Vec<String> {
        self.outline().services()
    }

    /// A set of this file without what it declares: its name, its syntax and its edition.
    pub(super) fn head(&self) -> Vec<u8> {
        let head = Head::decode(&*self.bytes).unwrap_or_default();
        RawSet { file: vec![head.encode_to_vec().into()] }.encode_to_vec()
    }
}

/// The names, since descriptors are long.
impl fmt::Debug for FileSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.files.keys()).finish()
    }
}

impl fmt::Debug for DescriptorFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DescriptorFile").field(&self.name()).finish()
    }
}

/// The name in a scope.
pub(crate) fn joined(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}
