//! Leaves out what is not complete.
//!
//! An import that cannot be had matters only where one of its types is used: many files import annotations of which
//! nothing but options comes. So files are judged by their types.

use std::collections::{HashMap, HashSet, VecDeque};

use grpcws::json::{Table, TableError};

use super::builtin;
use super::files::{DescriptorFile, FileSet};

/// A file that was left out, with everything that needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Omitted {
    /// The file's name.
    pub file: String,
    /// Why.
    pub reason: String,
    /// The services that are not there because of that.
    pub services: Vec<String>,
    /// Its imports that none of the sources has.
    pub missing_imports: Vec<String>,
}

impl Omitted {
    /// Says what to do about imports that a descriptor set lacks.
    pub(super) fn explain_imports(&mut self) {
        if let Some(import) = self.missing_imports.first() {
            self.reason.push_str("; its import ");
            self.reason.push_str(import);
            self.reason
                .push_str(" is not there either: make the set with protoc --include_imports, or buf build");
        }
    }
}

/// Adds the files that are always there, and takes out those that cannot be used.
pub(super) fn resolve(files: &mut FileSet) -> Vec<Omitted> {
    let mut omitted = Vec::new();
    omit_unknown_editions(files, &mut omitted);
    omit_duplicates(files, &mut omitted);
    add_builtin(files);
    omit_incomplete(files, &mut omitted);
    if omitted.is_empty() {
        return omitted;
    }
    let services: HashSet<String> = files.iter().flat_map(DescriptorFile::services).collect();
    for omitted in &mut omitted {
        omitted.services.retain(|service| !services.contains(service));
    }
    omitted
}

/// Files of an edition that the table does not know would take all others with them.
fn omit_unknown_editions(files: &mut FileSet, omitted: &mut Vec<Omitted>) {
    let edition = |file: &DescriptorFile| match Table::from_file_descriptor_set(&file.head()) {
        Err(TableError::UnknownEdition { edition, .. }) => Some((file.name().to_owned(), edition)),
        _ => None,
    };
    let unknown: Vec<_> = files.iter().filter_map(edition).collect();
    for (file, edition) in unknown {
        omit(files, &file, format!("its edition {edition} is not known"), omitted);
    }
}

/// Of two files that declare the same name, the one that is behind is taken out.
fn omit_duplicates(files: &mut FileSet, omitted: &mut Vec<Omitted>) {
    let mut in_order: Vec<&DescriptorFile> = files.iter().collect();
    in_order.sort_by_key(|file| file.order());
    let mut declared: HashMap<String, &DescriptorFile> = HashMap::new();
    let mut duplicates = Vec::new();
    for file in in_order {
        let names = file.declared();
        match names.iter().find_map(|name| Some((name, *declared.get(name)?))) {
            Some((name, other)) => {
                let reason = format!("it declares {name}, which {} does too", other.name());
                duplicates.push((file.name().to_owned(), reason));
            }
            None => declared.extend(names.into_iter().map(|name| (name, file))),
        }
    }
    for (file, reason) in duplicates {
        omit(files, &file, reason, omitted);
    }
}

/// The file's own names win over built-in ones, wherever they are declared.
fn add_builtin(files: &mut FileSet) {
    let builtin = builtin::files();
    let names: HashSet<String> = builtin.iter().flat_map(DescriptorFile::declared).collect();
    let declared = files.iter().flat_map(DescriptorFile::declared);
    let declared: HashSet<String> = declared.filter(|name| names.contains(name)).collect();
    for file in builtin.iter() {
        if !file.declared().iter().any(|name| declared.contains(name)) {
            files.insert(file.clone());
        }
    }
}

/// Takes out the files that use a type that is not there, and then those that use a type of theirs.
fn omit_incomplete(files: &mut FileSet, omitted: &mut Vec<Omitted>) {
    let names: Vec<String> = files.iter().map(|file| file.name().to_owned()).collect();
    let mut declared: HashMap<String, usize> = HashMap::new();
    for (number, file) in files.iter().enumerate() {
        declared.extend(file.declared().into_iter().map(|name| (name, number)));
    }
    // The files that use a file, each with a type of it.
    let mut users: HashMap<usize, Vec<(usize, String)>> = HashMap::new();
    let mut incomplete = VecDeque::new();
    for (number, file) in files.iter().enumerate() {
        match file.outline().uses(number, &declared) {
            Ok(used) => used.into_iter().for_each(|(used, type_name)| {
                users.entry(used).or_default().push((number, type_name));
            }),
            Err(missing) => incomplete.push_back((number, missing)),
        }
    }
    drop(declared);
    while let Some((number, missing)) = incomplete.pop_front() {
        let Some(name) = names.get(number) else { continue };
        if omit(files, name, format!("it uses {missing}, which is in none of the files"), omitted) {
            incomplete.extend(users.remove(&number).unwrap_or_default());
        }
    }
}

/// Tells whether the file was there.
fn omit(files: &mut FileSet, name: &str, reason: String, omitted: &mut Vec<Omitted>) -> bool {
    let Some(file) = files.remove(name) else { return false };
    let imports = file.descriptor().dependency.iter();
    let known = |import: &str| {
        files.file(import).is_some()
            || builtin::files().file(import).is_some()
            || omitted.iter().any(|omitted| omitted.file == import)
    };
    let missing_imports = imports.filter(|import| !known(import)).cloned().collect();
    let services = file.services();
    omitted.push(Omitted { file: name.to_owned(), reason, services, missing_imports });
    true
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use grpcws::services::Services;
    use prost::Message as _;
    use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto, ServiceDescriptorProto};

    use super::*;

    /// A file that declares a message with a field of each type, and a service of the message's name and an `S`.
    fn file(name: &str, message: &str, types: &[&str]) -> DescriptorFile {
        let field = |(number, type_name): (i32, &&str)| FieldDescriptorProto {
            name: Some(format!("f{number}")),
            number: Some(number),
            type_name: Some(format!(".{type_name}")),
            r#type: Some(11),
            ..FieldDescriptorProto::default()
        };
        let descriptor = FileDescriptorProto {
            name: Some(name.to_owned()),
            package: Some("p".to_owned()),
            message_type: vec![DescriptorProto {
                name: Some(message.to_owned()),
                field: (1..).zip(types).map(field).collect(),
                ..DescriptorProto::default()
            }],
            service: vec![ServiceDescriptorProto {
                name: Some(format!("{message}S")),
                ..ServiceDescriptorProto::default()
            }],
            ..FileDescriptorProto::default()
        };
        DescriptorFile::decode(Bytes::from(descriptor.encode_to_vec())).expect("a descriptor")
    }

    fn resolved(files: impl IntoIterator<Item = DescriptorFile>) -> (Vec<String>, Vec<String>) {
        let mut set = FileSet::default();
        files.into_iter().for_each(|file| set.insert(file));
        let omitted = resolve(&mut set);
        let services = Services::from_file_descriptor_set(&set.encode()).expect("the rest is complete");
        (
            services.iter().map(|service| service.full_name().to_owned()).collect(),
            omitted
                .iter()
                .map(|omitted| format!("{} {:?}: {}", omitted.file, omitted.services, omitted.reason))
                .collect(),
        )
    }

    #[test]
    fn what_needs_a_missing_type_is_left_out_and_the_rest_works() {
        let (services, omitted) = resolved([
            file("a.proto", "A", &["google.protobuf.Timestamp", "google.rpc.Status"]),
            file("b.proto", "B", &["p.A"]),
            file("c.proto", "C", &["p.Missing"]),
            file("d.proto", "D", &["p.A", "p.C"]),
        ]);
        assert_eq!(services, ["p.AS", "p.BS"]);
        assert_eq!(
            omitted,
            [
                "c.proto [\"p.CS\"]: it uses p.Missing, which is in none of the files",
                "d.proto [\"p.DS\"]: it uses p.C, which is in none of the files",
            ]
        );
    }

    #[test]
    fn names_without_a_dot_are_looked_for_in_their_scopes() {
        let mut user = file("b.proto", "B", &["p.A"]).descriptor().clone();
        for name in ["A", "p.A", ".p.A"] {
            user.message_type[0].field[0].type_name = Some(name.to_owned());
            let user = DescriptorFile::decode(Bytes::from(user.encode_to_vec())).expect("a descriptor");
            let (services, omitted) = resolved([file("a.proto", "A", &[]), user]);
            assert_eq!(services, ["p.AS", "p.BS"], "{name}");
            assert_eq!(omitted, [""; 0], "{name}");
        }
    }

    #[test]
    fn of_two_files_with_one_name_in_both_the_first_stays() {
        let (services, omitted) =
            resolved([file("a.proto", "A", &[]), file("b.proto", "A", &[]), file("c.proto", "C", &["p.A"])]);
        assert_eq!(services, ["p.AS", "p.CS"]);
        assert_eq!(omitted, ["b.proto []: it declares p.A, which a.proto does too"]);
    }

    #[test]
    fn of_two_extensions_with_one_number_the_first_stays() {
        let options = |file_name: &str, message, name: &str| {
            let mut descriptor = file(file_name, message, &[]).descriptor().clone();
            descriptor.extension.push(FieldDescriptorProto {
                name: Some(name.to_owned()),
                extendee: Some(".google.protobuf.MethodOptions".to_owned()),
                number: Some(50_001),
                r#type: Some(9),
                ..FieldDescriptorProto::default()
            });
            DescriptorFile::decode(Bytes::from(descriptor.encode_to_vec())).expect("a descriptor")
        };
        let (services, omitted) = resolved([options("a.proto", "A", "a"), options("b.proto", "B", "b")]);
        assert_eq!(services, ["p.AS"]);
        let reason = "it declares extension 50001 of google.protobuf.MethodOptions, which a.proto does too";
        assert_eq!(omitted, [format!("b.proto [\"p.BS\"]: {reason}")]);
    }

    #[test]
    fn a_file_of_an_unknown_edition_is_left_out() {
        let mut descriptor = file("new.proto", "New", &[]).descriptor().clone();
        descriptor.syntax = Some("proto9".to_owned());
        let new = DescriptorFile::decode(Bytes::from(descriptor.encode_to_vec())).expect("a descriptor");
        let (services, omitted) =
            resolved([new, file("b.proto", "B", &["p.New"]), file("c.proto", "C", &[])]);
        assert_eq!(services, ["p.CS"]);
        assert_eq!(omitted.len(), 2, "{omitted:?}");
    }

    #[test]
    fn own_definitions_of_builtin_types_win_under_whatever_name() {
        let vendored = {
            let mut descriptor = file("vendor/status.proto", "Status", &[]).descriptor().clone();
            descriptor.package = Some("google.rpc".to_owned());
            DescriptorFile::decode(Bytes::from(descriptor.encode_to_vec())).expect("a descriptor")
        };
        let (services, omitted) = resolved([vendored, file("b.proto", "B", &["google.rpc.Status"])]);
        assert_eq!(services, ["p.BS", "google.rpc.StatusS"]);
        assert_eq!(omitted, [""; 0]);
    }
}
