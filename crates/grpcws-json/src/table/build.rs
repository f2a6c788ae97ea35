//! Compiles descriptors into a [`TableData`]: first every type gets its index, then fields are resolved.

use std::collections::HashMap;

use super::descriptor::{
    EnumDescriptor, FieldDescriptor, FileDescriptor, MessageDescriptor, OneofDescriptor, files,
};
use super::features::{Features, Presence};
use super::indices::{camel_case, finished, link_declared};
use super::well_known::WELL_KNOWN;
use super::{Cardinality, EnumType, Field, Kind, NONE, Quoted, Shape, TableData};
use crate::error::TableError;

const LABEL_REQUIRED: u64 = 2;
const LABEL_REPEATED: u64 = 3;
/// The largest field number of the wire format.
const MAX_NUMBER: u64 = (1 << 29) - 1;

#[derive(Clone, Copy)]
enum TypeIndex {
    Message(u32),
    Enum(u32),
}

/// A message type of which only the name is known so far.
struct Pending<'a> {
    descriptor: &'a MessageDescriptor<'a>,
    features: Features,
    fields: Vec<Field>,
}

struct PendingExtension<'a> {
    descriptor: &'a FieldDescriptor<'a>,
    scope: String,
    features: Features,
}

#[derive(Default)]
struct Builder<'a> {
    types: HashMap<String, TypeIndex>,
    names: Vec<String>,
    pending: Vec<Pending<'a>>,
    extensions: Vec<PendingExtension<'a>>,
    enums: Vec<EnumType>,
}

pub(super) fn build(bytes: &[u8]) -> Result<TableData, TableError> {
    let files = files(bytes)?;
    let mut builder = Builder::default();
    for file in &files {
        builder.collect_file(file)?;
    }
    builder.resolve()
}

fn joined(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}

/// The scope that a full name is in.
fn outer(full_name: &str) -> &str {
    full_name.rsplit_once('.').map_or("", |(scope, _)| scope)
}

/// Indices are `u32`: a descriptor set with 2^32 types does not fit in a `Vec<u8>` of the descriptors' size limit.
fn index_of(length: usize) -> u32 {
    u32::try_from(length).expect("each type takes several bytes of a descriptor set below 2 GiB")
}

impl<'a> Builder<'a> {
    fn collect_file(&mut self, file: &'a FileDescriptor<'a>) -> Result<(), TableError> {
        let features = Features::of_file(file)?;
        for message in &file.messages {
            self.collect_message(message, file.package, features)?;
        }
        for enumeration in &file.enums {
            self.collect_enum(enumeration, file.package, features)?;
        }
        self.collect_extensions(&file.extensions, file.package, features);
        Ok(())
    }

    fn collect_message(
        &mut self,
        descriptor: &'a MessageDescriptor<'a>,
        scope: &str,
        inherited: Features,
    ) -> Result<(), TableError> {
        let name = joined(scope, descriptor.name);
        let features = inherited.overridden(descriptor.features);
        self.register(&name, TypeIndex::Message(index_of(self.pending.len())))?;
        self.names.push(name.clone());
        self.pending.push(Pending { descriptor, features, fields: Vec::new() });
        for message in &descriptor.messages {
            self.collect_message(message, &name, features)?;
        }
        for enumeration in &descriptor.enums {
            self.collect_enum(enumeration, &name, features)?;
        }
        self.collect_extensions(&descriptor.extensions, &name, features);
        Ok(())
    }

    fn collect_enum(
        &mut self,
        descriptor: &EnumDescriptor<'_>,
        scope: &str,
        inherited: Features,
    ) -> Result<(), TableError> {
        let name = joined(scope, descriptor.name);
        let closed = inherited.overridden(descriptor.features).closed_enum;
        self.register(&name, TypeIndex::Enum(index_of(self.enums.len())))?;
        self.enums.push(EnumType::new(name, closed, descriptor));
        Ok(())
    }

    fn collect_extensions(&mut self, extensions: &'a [FieldDescriptor<'a>], scope: &str, features: Features) {
        for descriptor in extensions {
            self.extensions.push(PendingExtension { descriptor, scope: scope.to_owned(), features });
        }
    }

    fn register(&mut self, name: &str, index: TypeIndex) -> Result<(), TableError> {
        match self.types.insert(name.to_owned(), index) {
            None => Ok(()),
            Some(_) => Err(TableError::DuplicateName { name: name.to_owned() }),
        }
    }

    fn resolve(mut self) -> Result<TableData, TableError> {
        let mut pending = std::mem::take(&mut self.pending);
        for (message, name) in pending.iter_mut().zip(&self.names) {
            for descriptor in &message.descriptor.fields {
                let full_name = joined(name, descriptor.name);
                let field = self.field(descriptor, &full_name, message.features, Some(message.descriptor))?;
                message.fields.push(field);
            }
        }
        for extension in &self.extensions {
            let full_name = joined(&extension.scope, extension.descriptor.name);
            let extendee = extension.descriptor.extendee;
            let Some(TypeIndex::Message(index)) = self.find(&extension.scope, extendee) else {
                return Err(TableError::UnresolvedType { field: full_name, type_name: extendee.to_owned() });
            };
            let field = self.field(extension.descriptor, &full_name, extension.features, None)?;
            let extended =
                pending.get_mut(index as usize).expect("every message's index is that of its place");
            extended.fields.push(field);
        }
        self.mark_maps(&mut pending);
        let mut table = TableData { enums: self.enums, ..TableData::default() };
        for (message, name) in pending.into_iter().zip(self.names) {
            add(&mut table, name, message)?;
        }
        for (name, shape) in WELL_KNOWN {
            if table.by_name.find(name.as_bytes()).is_none() {
                let index = index_of(table.messages.len());
                table.by_name.insert(name, index);
                table.messages.push(finished(name.into(), shape, Vec::new(), Vec::new(), false));
            }
        }
        Ok(table)
    }

    /// A repeated field is a map where its type says so and is fit for it.
    fn mark_maps(&self, pending: &mut [Pending<'_>]) {
        let is_entry: Vec<bool> = pending.iter().map(|message| message.is_map_entry()).collect();
        for message in pending {
            for field in &mut message.fields {
                let (Kind::Message(index) | Kind::Group(index)) = field.kind else {
                    continue;
                };
                if field.cardinality == Cardinality::Repeated && is_entry.get(index as usize) == Some(&true) {
                    field.cardinality = Cardinality::Map;
                    // Entries have a length also where messages are delimited.
                    field.kind = Kind::Message(index);
                    field.wire_type = field.kind.wire_type();
                }
            }
        }
    }

    /// The type that a name stands for. One without a leading dot is looked for in the scope, then in the one around
    /// that, and so on: compilers write full names, but protobufjs and what is built on it do not.
    fn find(&self, scope: &str, type_name: &str) -> Option<TypeIndex> {
        if let Some(full_name) = type_name.strip_prefix('.') {
            return self.types.get(full_name).copied();
        }
        let mut scope = scope;
        while !scope.is_empty() {
            if let Some(found) = self.types.get(&joined(scope, type_name)) {
                return Some(*found);
            }
            scope = outer(scope);
        }
        self.types.get(type_name).copied()
    }

    fn field(
        &self,
        descriptor: &FieldDescriptor<'_>,
        full_name: &str,
        inherited: Features,
        parent: Option<&MessageDescriptor<'_>>,
    ) -> Result<Field, TableError> {
        let invalid = |reason| TableError::InvalidField { field: full_name.to_owned(), reason };
        if !(1..=MAX_NUMBER).contains(&descriptor.number) {
            return Err(invalid("its number is out of range"));
        }
        let number = u32::try_from(descriptor.number).map_err(|_| invalid("its number is out of range"))?;
        let oneof = oneof_of(descriptor, parent)
            .map_err(|()| invalid("it is in a oneof that the message does not have"))?;
        let features = features_of(descriptor, oneof, parent, inherited);
        let kind = self.kind(descriptor, full_name, features)?;
        let repeated = descriptor.label == LABEL_REPEATED;
        let is_message = matches!(kind, Kind::Message(_) | Kind::Group(_));
        let extension = parent.is_none();
        let required = descriptor.label == LABEL_REQUIRED
            || (!repeated && !extension && features.presence == Presence::Required);
        let implicit = !repeated
            && !is_message
            && !extension
            && !required
            && oneof.is_none()
            && !descriptor.proto3_optional
            && features.presence == Presence::Implicit;
        let (name, json_name) = if extension {
            (format!("[{full_name}]"), format!("[{full_name}]"))
        } else {
            let json_name = descriptor.json_name.map_or_else(|| camel_case(descriptor.name), str::to_owned);
            (descriptor.name.to_owned(), json_name)
        };
        let closed_enum = match kind {
            Kind::Enum(index) => self.enums.get(index as usize).is_some_and(|found| found.closed),
            _ => false,
        };
        Ok(Field {
            number,
            kind,
            cardinality: if repeated { Cardinality::Repeated } else { Cardinality::Singular },
            wire_type: kind.wire_type(),
            tag_byte: NONE,
            packed: repeated && kind.is_packable() && descriptor.packed.unwrap_or(features.packed),
            implicit,
            required,
            extension,
            closed_enum,
            null_is_value: self.null_is_value(kind),
            oneof: match descriptor.oneof_index {
                Some(index) if oneof.is_some() && !descriptor.proto3_optional => {
                    u32::try_from(index).unwrap_or(NONE)
                }
                _ => NONE,
            },
            declared_next: NONE,
            json_key: Quoted::key(&json_name),
            proto_key: Quoted::key(&name),
            json_name: json_name.into(),
            name: name.into(),
        })
    }

    fn kind(
        &self,
        descriptor: &FieldDescriptor<'_>,
        full_name: &str,
        features: Features,
    ) -> Result<Kind, TableError> {
        let kind = match descriptor.kind {
            1 => Kind::Double,
            2 => Kind::Float,
            3 => Kind::Int64,
            4 => Kind::Uint64,
            5 => Kind::Int32,
            6 => Kind::Fixed64,
            7 => Kind::Fixed32,
            8 => Kind::Bool,
            9 => Kind::String,
            12 => Kind::Bytes,
            13 => Kind::Uint32,
            15 => Kind::Sfixed32,
            16 => Kind::Sfixed64,
            17 => Kind::Sint32,
            18 => Kind::Sint64,
            // 0: a parser that did not resolve types leaves the distinction between the two to the name.
            0 | 10 | 11 | 14 => match (descriptor.kind, self.find(outer(full_name), descriptor.type_name)) {
                (0 | 14, Some(TypeIndex::Enum(index))) => Kind::Enum(index),
                (10, Some(TypeIndex::Message(index))) => Kind::Group(index),
                (0 | 11, Some(TypeIndex::Message(index))) if features.delimited => Kind::Group(index),
                (0 | 11, Some(TypeIndex::Message(index))) => Kind::Message(index),
                _ => {
                    return Err(TableError::UnresolvedType {
                        field: full_name.to_owned(),
                        type_name: descriptor.type_name.to_owned(),
                    });
                }
            },
            _ => {
                return Err(TableError::InvalidField {
                    field: full_name.to_owned(),
                    reason: "its type is not known",
                });
            }
        };
        Ok(kind)
    }

    fn null_is_value(&self, kind: Kind) -> bool {
        match kind {
            Kind::Enum(index) => self.enums.get(index as usize).is_some_and(|found| found.null_value),
            Kind::Message(index) | Kind::Group(index) => {
                self.names.get(index as usize).is_some_and(|name| name == "google.protobuf.Value")
            }
            _ => false,
        }
    }
}

/// The oneof that a field is in, real or not; fails where the message does not have it.
fn oneof_of<'d>(
    descriptor: &FieldDescriptor<'_>,
    parent: Option<&'d MessageDescriptor<'d>>,
) -> Result<Option<&'d OneofDescriptor<'d>>, ()> {
    let (Some(index), Some(parent)) = (descriptor.oneof_index, parent) else { return Ok(None) };
    let found = usize::try_from(index).ok().and_then(|index| parent.oneofs.get(index));
    found.map(Some).ok_or(())
}

fn features_of(
    descriptor: &FieldDescriptor<'_>,
    oneof: Option<&OneofDescriptor<'_>>,
    parent: Option<&MessageDescriptor<'_>>,
    inherited: Features,
) -> Features {
    let mut features = inherited;
    if let Some(oneof) = oneof {
        features = features.overridden(oneof.features);
    }
    features = features.overridden(descriptor.features);
    // The entries of a map and what is in them always have a length.
    features.delimited &= !parent.is_some_and(|parent| parent.map_entry);
    features
}

impl Pending<'_> {
    fn is_map_entry(&self) -> bool {
        let is_key = |kind| {
            !matches!(
                kind,
                Kind::Double | Kind::Float | Kind::Bytes | Kind::Enum(_) | Kind::Message(_) | Kind::Group(_)
            )
        };
        let singular = |field: &Field| field.cardinality == Cardinality::Singular;
        match self.fields.as_slice() {
            [key, value] => {
                self.descriptor.map_entry
                    && (key.number, value.number) == (1, 2)
                    && is_key(key.kind)
                    && singular(key)
                    && singular(value)
            }
            _ => false,
        }
    }
}

fn add(table: &mut TableData, name: String, mut pending: Pending<'_>) -> Result<(), TableError> {
    let map_entry = pending.is_map_entry();
    let declared: Vec<u32> = pending.fields.iter().map(|field| field.number).collect();
    pending.fields.sort_by_key(|field| field.number);
    for pair in pending.fields.windows(2) {
        if let [first, second] = pair
            && first.number == second.number
        {
            return Err(TableError::InvalidField {
                field: joined(&name, &second.name),
                reason: "its number is that of another field",
            });
        }
    }
    let oneofs =
        pending.descriptor.oneofs.iter().map(|OneofDescriptor { name, .. }| Box::from(*name)).collect();
    let shape = if pending.descriptor.map_entry { Shape::Object } else { Shape::of(&name) };
    let index = index_of(table.messages.len());
    let mut message = finished(name.clone().into(), shape, pending.fields, oneofs, map_entry);
    link_declared(&mut message, &declared);
    let number = |number: u64| u32::try_from(number).unwrap_or(NONE);
    let ranges = pending.descriptor.extension_ranges.iter();
    message.extension_ranges = ranges.map(|(first, behind)| number(*first)..number(*behind)).collect();
    if !map_entry {
        table.by_name.insert(&name, index);
    }
    table.messages.push(message);
    Ok(())
}
