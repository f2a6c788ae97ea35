//! Descriptors by the names of their files.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use prost::{DecodeError, Message};
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto};

/// Descriptors of files, each under its name. The order is that of the names, so that the same files make the same set.
#[derive(Clone, Default)]
pub struct FileSet {
    files: BTreeMap<String, DescriptorFile>,
}

/// The descriptor of one file.
#[derive(Clone)]
pub struct DescriptorFile {
    bytes: Bytes,
    descriptor: FileDescriptorProto,
}

/// A `FileDescriptorSet` whose files are left as they are.
#[derive(Clone, PartialEq, Message)]
struct RawSet {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    file: Vec<Bytes>,
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

    /// Adds the files of another set whose names are new.
    pub(super) fn merge(&mut self, other: &Self) {
        for file in other.iter() {
            self.insert(file.clone());
        }
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
        let mut descriptor = FileDescriptorProto::decode(&*bytes)?;
        // Comments can be most of a descriptor; nothing here shows them.
        descriptor.source_code_info = None;
        Ok(Self { bytes, descriptor })
    }

    /// The name: `game/v1/game.proto`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.descriptor.name()
    }

    /// What it declares. Options that `prost_types` does not know are not there.
    #[must_use]
    pub fn descriptor(&self) -> &FileDescriptorProto {
        &self.descriptor
    }

    /// The length of the serialized descriptor.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The full names of its messages, enums and services.
    pub(super) fn declared(&self) -> Vec<String> {
        let package = self.descriptor.package();
        let mut names = Vec::new();
        for message in &self.descriptor.message_type {
            declared_by(message, package, &mut names);
        }
        names.extend(enum_names(&self.descriptor.enum_type, package));
        names.extend(self.services());
        names
    }

    /// The full names of its services.
    pub(super) fn services(&self) -> impl Iterator<Item = String> {
        let package = self.descriptor.package();
        self.descriptor.service.iter().map(move |service| joined(package, service.name()))
    }

    /// The full names of the types that its fields, extensions and methods name.
    pub(super) fn used(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for message in &self.descriptor.message_type {
            used_by(message, &mut names);
        }
        used_by_fields(&self.descriptor.extension, &mut names);
        for method in self.descriptor.service.iter().flat_map(|service| &service.method) {
            names.extend([method.input_type(), method.output_type()]);
        }
        names.iter().map(|name| name.strip_prefix('.').unwrap_or(name)).collect()
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

fn enum_names(enums: &[EnumDescriptorProto], scope: &str) -> impl Iterator<Item = String> {
    enums.iter().map(move |found| joined(scope, found.name()))
}

/// Nesting is bounded by the limit of the decoder.
fn declared_by(message: &DescriptorProto, scope: &str, names: &mut Vec<String>) {
    let name = joined(scope, message.name());
    for nested in &message.nested_type {
        declared_by(nested, &name, names);
    }
    names.extend(enum_names(&message.enum_type, &name));
    names.push(name);
}

fn used_by<'a>(message: &'a DescriptorProto, names: &mut Vec<&'a str>) {
    used_by_fields(&message.field, names);
    used_by_fields(&message.extension, names);
    for nested in &message.nested_type {
        used_by(nested, names);
    }
}

fn used_by_fields<'a>(fields: &'a [FieldDescriptorProto], names: &mut Vec<&'a str>) {
    let types = fields.iter().flat_map(|field| [field.type_name(), field.extendee()]);
    names.extend(types.filter(|name| !name.is_empty()));
}
