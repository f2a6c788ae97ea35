//! The names in a descriptor, and the types that it uses: what says whether files go together.

use std::collections::HashMap;

use prost::Message;

use super::files::joined;

/// A `FileDescriptorProto` of which only names are read.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Outline {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    package: String,
    #[prost(string, repeated, tag = "3")]
    pub(super) imports: Vec<String>,
    #[prost(message, repeated, tag = "4")]
    messages: Vec<MessageOutline>,
    #[prost(message, repeated, tag = "5")]
    enums: Vec<Named>,
    #[prost(message, repeated, tag = "6")]
    services: Vec<ServiceOutline>,
    #[prost(message, repeated, tag = "7")]
    extensions: Vec<FieldOutline>,
}

#[derive(Clone, PartialEq, Message)]
struct MessageOutline {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    fields: Vec<FieldOutline>,
    #[prost(message, repeated, tag = "3")]
    messages: Vec<MessageOutline>,
    #[prost(message, repeated, tag = "4")]
    enums: Vec<Named>,
    #[prost(message, repeated, tag = "6")]
    extensions: Vec<FieldOutline>,
}

#[derive(Clone, PartialEq, Message)]
struct FieldOutline {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    extendee: String,
    #[prost(int32, tag = "3")]
    number: i32,
    #[prost(string, tag = "6")]
    type_name: String,
}

#[derive(Clone, PartialEq, Message)]
struct ServiceOutline {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    methods: Vec<MethodOutline>,
}

#[derive(Clone, PartialEq, Message)]
struct MethodOutline {
    #[prost(string, tag = "2")]
    input_type: String,
    #[prost(string, tag = "3")]
    output_type: String,
}

#[derive(Clone, PartialEq, Message)]
struct Named {
    #[prost(string, tag = "1")]
    name: String,
}

impl Outline {
    /// The full names of messages, enums, services and extensions.
    pub(super) fn declared(&self) -> Vec<String> {
        let package = &self.package;
        let mut names = Vec::new();
        for message in &self.messages {
            declared_by(message, package, &mut names);
        }
        names.extend(enum_names(&self.enums, package));
        names.extend(self.services());
        for extension in &self.extensions {
            names.push(joined(package, &extension.name));
            // Two extensions of one number do not go together, and would take everything with them.
            let extended = extension.extendee.trim_start_matches('.');
            names.push(format!("extension {} of {extended}", extension.number));
        }
        names
    }

    /// The full names of the services.
    pub(super) fn services(&self) -> Vec<String> {
        self.services.iter().map(|service| joined(&self.package, &service.name)).collect()
    }

    /// Finds each type that is used: `declared` has the number of the file for every full name. Returns what was found in
    /// other files, with one name for each file, or the first name that is nowhere.
    pub(super) fn uses(
        &self,
        own: usize,
        declared: &HashMap<String, usize>,
    ) -> Result<HashMap<usize, String>, String> {
        let mut names = Names { own, declared, found: HashMap::new(), missing: None };
        for message in &self.messages {
            names.in_message(message, &self.package);
        }
        names.in_fields(&self.extensions, &self.package);
        for service in &self.services {
            let scope = joined(&self.package, &service.name);
            for method in &service.methods {
                names.look(&method.input_type, &scope);
                names.look(&method.output_type, &scope);
            }
        }
        match names.missing {
            None => Ok(names.found),
            Some(missing) => Err(missing),
        }
    }
}

/// Looks names up as protobuf's scopes have it.
struct Names<'a> {
    own: usize,
    declared: &'a HashMap<String, usize>,
    found: HashMap<usize, String>,
    missing: Option<String>,
}

impl Names<'_> {
    /// Nesting is bounded by the limit of the decoder.
    fn in_message(&mut self, message: &MessageOutline, scope: &str) {
        let scope = joined(scope, &message.name);
        self.in_fields(&message.fields, &scope);
        self.in_fields(&message.extensions, &scope);
        for nested in &message.messages {
            self.in_message(nested, &scope);
        }
    }

    fn in_fields(&mut self, fields: &[FieldOutline], scope: &str) {
        for field in fields {
            self.look(&field.type_name, scope);
            self.look(&field.extendee, scope);
        }
    }

    fn look(&mut self, name: &str, scope: &str) {
        if name.is_empty() || self.missing.is_some() {
            return;
        }
        match self.find(name, scope) {
            Some((file, _)) if file == self.own || self.found.contains_key(&file) => {}
            Some((file, full_name)) => _ = self.found.insert(file, full_name),
            None => self.missing = Some(name.strip_prefix('.').unwrap_or(name).to_owned()),
        }
    }

    fn find(&self, name: &str, scope: &str) -> Option<(usize, String)> {
        let found = |name: &str| self.declared.get(name).map(|file| (*file, name.to_owned()));
        if let Some(full_name) = name.strip_prefix('.') {
            return found(full_name);
        }
        let mut scopes = std::iter::successors(Some(scope), |scope| match scope.rsplit_once('.') {
            Some((outer, _)) => Some(outer),
            None => (!scope.is_empty()).then_some(""),
        });
        scopes.find_map(|scope| found(&joined(scope, name)))
    }
}

fn enum_names(enums: &[Named], scope: &str) -> impl Iterator<Item = String> {
    enums.iter().map(move |found| joined(scope, &found.name))
}

/// Nesting is bounded by the limit of the decoder.
fn declared_by(message: &MessageOutline, scope: &str, names: &mut Vec<String>) {
    let name = joined(scope, &message.name);
    for nested in &message.messages {
        declared_by(nested, &name, names);
    }
    names.extend(enum_names(&message.enums, &name));
    names.push(name);
}
