//! Descriptors by the names of their files.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use bytes::Bytes;
use prost::{DecodeError, Message};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto, SourceCodeInfo,
};

/// Descriptors of files, each under its name. The order is that of the names, so that the same files make the same set.
#[derive(Clone, Default, PartialEq)]
pub struct FileSet {
    files: BTreeMap<String, DescriptorFile>,
}

/// The descriptor of one file.
#[derive(Clone)]
pub struct DescriptorFile {
    bytes: Bytes,
    descriptor: FileDescriptorProto,
    /// Of files that declare the same name, the one with the least order counts.
    order: usize,
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

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut DescriptorFile> {
        self.files.values_mut()
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
        Ok(Self { bytes, descriptor, order: 0 })
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
        let mut renamed = self.clone();
        renamed.descriptor.name = Some(name.to_owned());
        // The last one of a field counts.
        let head = Head { name: name.to_owned(), ..Head::default() };
        renamed.bytes = [&*self.bytes, &*head.encode_to_vec()].concat().into();
        renamed
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
        let package = self.descriptor.package();
        let mut names = Vec::new();
        for message in &self.descriptor.message_type {
            declared_by(message, package, &mut names);
        }
        names.extend(enum_names(&self.descriptor.enum_type, package));
        names.extend(self.services());
        for extension in &self.descriptor.extension {
            names.push(joined(package, extension.name()));
            // Two extensions of one number do not go together, and would take everything with them.
            let extended = extension.extendee().trim_start_matches('.');
            names.push(format!("extension {} of {extended}", extension.number()));
        }
        names
    }

    /// The full names of its services.
    pub(super) fn services(&self) -> impl Iterator<Item = String> {
        let package = self.descriptor.package();
        self.descriptor.service.iter().map(move |service| joined(package, service.name()))
    }

    /// A set of this file without what it declares: its name, its syntax and its edition.
    pub(super) fn head(&self) -> Vec<u8> {
        let head = Head::decode(&*self.bytes).unwrap_or_default();
        RawSet { file: vec![head.encode_to_vec().into()] }.encode_to_vec()
    }

    /// The full names of the types that it uses, as far as [`qualify`](Self::qualify) has found them.
    pub(super) fn used(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for message in &self.descriptor.message_type {
            used_by(message, &mut names);
        }
        used_by_fields(&self.descriptor.extension, &mut names);
        for method in self.descriptor.service.iter().flat_map(|service| &service.method) {
            names.extend([method.input_type(), method.output_type()]);
        }
        names.into_iter().filter_map(|name| name.strip_prefix('.')).collect()
    }

    /// Gives every type that the descriptor names its full name, with a leading dot; the bytes keep theirs. Returns
    /// the first one that is not declared anywhere.
    pub(super) fn qualify(&mut self, declared: &HashSet<String>) -> Option<String> {
        let package = self.descriptor.package().to_owned();
        let mut names = Names { declared, missing: None };
        for message in &mut self.descriptor.message_type {
            names.in_message(message, &package);
        }
        names.in_fields(&mut self.descriptor.extension, &package);
        for service in &mut self.descriptor.service {
            let scope = joined(&package, service.name());
            for method in &mut service.method {
                names.qualify(&mut method.input_type, &scope);
                names.qualify(&mut method.output_type, &scope);
            }
        }
        names.missing
    }
}

/// Looks names up as protobuf's scopes have it.
struct Names<'a> {
    declared: &'a HashSet<String>,
    missing: Option<String>,
}

impl Names<'_> {
    /// Nesting is bounded by the limit of the decoder.
    fn in_message(&mut self, message: &mut DescriptorProto, scope: &str) {
        let scope = joined(scope, message.name());
        self.in_fields(&mut message.field, &scope);
        self.in_fields(&mut message.extension, &scope);
        for nested in &mut message.nested_type {
            self.in_message(nested, &scope);
        }
    }

    fn in_fields(&mut self, fields: &mut [FieldDescriptorProto], scope: &str) {
        for field in fields {
            self.qualify(&mut field.type_name, scope);
            self.qualify(&mut field.extendee, scope);
        }
    }

    fn qualify(&mut self, name: &mut Option<String>, scope: &str) {
        let Some(name) = name.as_mut().filter(|name| !name.is_empty()) else { return };
        let found = match name.strip_prefix('.') {
            Some(full_name) => Some(full_name.to_owned()).filter(|name| self.declared.contains(name)),
            None => {
                let scopes = std::iter::successors(Some(scope), |scope| match scope.rsplit_once('.') {
                    Some((outer, _)) => Some(outer),
                    None => (!scope.is_empty()).then_some(""),
                });
                scopes.map(|scope| joined(scope, name)).find(|name| self.declared.contains(name))
            }
        };
        match found {
            Some(full_name) => *name = format!(".{full_name}"),
            None => {
                let missing = name.strip_prefix('.').unwrap_or(name).to_owned();
                self.missing.get_or_insert(missing);
            }
        }
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
    names.extend(fields.iter().flat_map(|field| [field.type_name(), field.extendee()]));
}
