//! What a name stands for.

use prost_types::{DescriptorProto, EnumDescriptorProto, ServiceDescriptorProto};

use crate::descriptors::{DescriptorFile, FileSet, joined};

/// What a full name stands for.
pub(super) struct Symbol<'a> {
    /// The file that declares it.
    pub(super) file: &'a DescriptorFile,
    /// The full name. That of a method has a slash in front of its own.
    pub(super) full_name: String,
    /// Where in the descriptor of the file it is declared, as `SourceCodeInfo` has it.
    pub(super) path: Vec<i32>,
    pub(super) declaration: Declaration<'a>,
}

#[derive(Clone, Copy)]
pub(super) enum Declaration<'a> {
    Service(&'a ServiceDescriptorProto),
    /// A method of this service.
    Method(&'a ServiceDescriptorProto),
    Message(&'a DescriptorProto),
    Enum(&'a EnumDescriptorProto),
}

/// The numbers of the fields of descriptors that paths are made of.
pub(super) mod tag {
    /// `FileDescriptorProto.message_type`
    pub(in super::super) const MESSAGE: i32 = 4;
    /// `FileDescriptorProto.enum_type`
    pub(in super::super) const ENUM: i32 = 5;
    /// `FileDescriptorProto.service`
    pub(in super::super) const SERVICE: i32 = 6;
    /// `ServiceDescriptorProto.method`
    pub(in super::super) const METHOD: i32 = 2;
    /// `DescriptorProto.field`
    pub(in super::super) const FIELD: i32 = 2;
    /// `DescriptorProto.nested_type`
    pub(in super::super) const NESTED: i32 = 3;
    /// `DescriptorProto.enum_type`
    pub(in super::super) const NESTED_ENUM: i32 = 4;
    /// `DescriptorProto.oneof_decl`
    pub(in super::super) const ONEOF: i32 = 8;
    /// `EnumDescriptorProto.value`
    pub(in super::super) const VALUE: i32 = 2;
}

/// Everything that can be described.
pub(super) fn all(files: &FileSet) -> Vec<Symbol<'_>> {
    let mut symbols = Vec::new();
    for file in files.iter() {
        let descriptor = file.descriptor();
        let package = descriptor.package();
        let mut add =
            |full_name, path, declaration| symbols.push(Symbol { file, full_name, path, declaration });
        for (index, service) in (0..).zip(&descriptor.service) {
            let name = joined(package, service.name());
            let path = vec![tag::SERVICE, index];
            for method in &service.method {
                add(format!("{name}/{}", method.name()), path.clone(), Declaration::Method(service));
            }
            add(name, path, Declaration::Service(service));
        }
        for (index, message) in (0..).zip(&descriptor.message_type) {
            messages(message, package, vec![tag::MESSAGE, index], &mut add);
        }
        for (index, found) in (0..).zip(&descriptor.enum_type) {
            add(joined(package, found.name()), vec![tag::ENUM, index], Declaration::Enum(found));
        }
    }
    symbols
}

fn messages<'a>(
    message: &'a DescriptorProto,
    scope: &str,
    path: Vec<i32>,
    add: &mut impl FnMut(String, Vec<i32>, Declaration<'a>),
) {
    if is_map_entry(message) {
        return;
    }
    let name = joined(scope, message.name());
    let below = |tag, index| [path.as_slice(), &[tag, index]].concat();
    for (index, nested) in (0..).zip(&message.nested_type) {
        messages(nested, &name, below(tag::NESTED, index), add);
    }
    for (index, found) in (0..).zip(&message.enum_type) {
        add(joined(&name, found.name()), below(tag::NESTED_ENUM, index), Declaration::Enum(found));
    }
    add(name, path, Declaration::Message(message));
}

/// Whether a message is what a map field has as its entries.
pub(super) fn is_map_entry(message: &DescriptorProto) -> bool {
    message.options.as_ref().is_some_and(prost_types::MessageOptions::map_entry)
}

impl Symbol<'_> {
    /// Whether it is what this name stands for. A method may have a dot in place of its slash.
    pub(super) fn is(&self, name: &str) -> bool {
        match self.declaration {
            Declaration::Method(_) => self.full_name == name || self.full_name.replace('/', ".") == name,
            _ => self.full_name == name,
        }
    }
}
