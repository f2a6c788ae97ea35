//! What a name stands for.

use prost_types::{DescriptorProto, EnumDescriptorProto};

use crate::descriptors::{DescriptorFile, FileSet, joined};

/// What a full name stands for.
pub(super) struct Symbol<'a> {
    /// The file that declares it.
    pub(super) file: &'a DescriptorFile,
    /// The full name. That of a method has a slash in front of its own.
    pub(super) full_name: String,
    pub(super) declaration: Declaration<'a>,
}

#[derive(Clone, Copy)]
pub(super) enum Declaration<'a> {
    Service,
    Method,
    Message(&'a DescriptorProto),
    Enum(&'a EnumDescriptorProto),
}

/// Everything that can be described.
pub(super) fn all(files: &FileSet) -> Vec<Symbol<'_>> {
    let mut symbols = Vec::new();
    for file in files.iter() {
        let descriptor = file.descriptor();
        let package = descriptor.package();
        let mut add = |full_name, declaration| symbols.push(Symbol { file, full_name, declaration });
        for service in &descriptor.service {
            let name = joined(package, service.name());
            for method in &service.method {
                add(format!("{name}/{}", method.name()), Declaration::Method);
            }
            add(name, Declaration::Service);
        }
        for message in &descriptor.message_type {
            messages(message, package, &mut add);
        }
        for found in &descriptor.enum_type {
            add(joined(package, found.name()), Declaration::Enum(found));
        }
    }
    symbols
}

fn messages<'a>(message: &'a DescriptorProto, scope: &str, add: &mut impl FnMut(String, Declaration<'a>)) {
    if is_map_entry(message) {
        return;
    }
    let name = joined(scope, message.name());
    for nested in &message.nested_type {
        messages(nested, &name, add);
    }
    for found in &message.enum_type {
        add(joined(&name, found.name()), Declaration::Enum(found));
    }
    add(name, Declaration::Message(message));
}

/// Whether a message is what a map field has as its entries.
pub(super) fn is_map_entry(message: &DescriptorProto) -> bool {
    message.options.as_ref().is_some_and(prost_types::MessageOptions::map_entry)
}

impl Symbol<'_> {
    /// Whether it is what this name stands for. A method may have a dot in place of its slash.
    pub(super) fn is(&self, name: &str) -> bool {
        match self.declaration {
            Declaration::Method => self.full_name == name || self.full_name.replace('/', ".") == name,
            _ => self.full_name == name,
        }
    }
}
