//! Which sources share a table of types, and which of them has a service.
//!
//! Two servers may know different revisions of one file, and a table has only one: the fields that the other revision
//! has would be lost on the way. So every upstream has a table of its own, unless another one has given the very same
//! files. Files that were given by the user are put together for as long as they agree, since one may need the types
//! of another.
//!
//! That two files have the same name is no disagreement: `api.proto` is a favourite. The second one gets another name
//! then, which no import has; but what a file may use is judged by the types that are there, and not by its imports.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::files::{DescriptorFile, FileSet};

/// The descriptors of an upstream or of a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SourceFiles {
    /// The name of the upstream or of the file.
    pub(super) origin: Arc<str>,
    pub(super) files: Arc<FileSet>,
    /// The services that the upstream says it has, sorted; all that the files declare where they come from a file.
    pub(super) registered: Option<Arc<[String]>>,
    /// Where they come from.
    pub(super) kind: SourceKind,
}

/// Where descriptors come from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum SourceKind {
    /// A file that the user has given.
    File,
    /// An upstream that gets these services, by name or by the packages in front of it; all that no other one has where
    /// there are none.
    Upstream(Arc<[String]>),
}

/// Sources that share a table.
#[derive(Debug, Default)]
pub(super) struct Group<'a> {
    sources: Vec<&'a SourceFiles>,
    by_name: HashMap<&'a str, Vec<&'a DescriptorFile>>,
    declared: HashSet<String>,
    /// Files of other groups, and their services.
    supplements: Vec<&'a DescriptorFile>,
    supplied_services: HashSet<String>,
}

/// All sources, in groups that share a table each. Where there are files beside upstreams, each group has what the others
/// have and it lacks, as a type that one of them uses may be known to another one only.
pub(super) fn groups(sources: &[SourceFiles]) -> Vec<Group<'_>> {
    let mut groups = groups_of_their_own(sources);
    let is_file = |source: &&SourceFiles| source.kind == SourceKind::File;
    let files = sources.iter().filter(is_file).count();
    if files > 0 && files < sources.len() {
        for group in &mut groups {
            let of_upstreams = group.sources.iter().any(|source| !is_file(source));
            // What another upstream says is not for this one.
            sources
                .iter()
                .filter(|source| of_upstreams == is_file(source))
                .for_each(|source| group.supplement(source));
        }
    }
    groups
}

fn groups_of_their_own(sources: &[SourceFiles]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for source in sources {
        let index = groups.iter().position(|group| group.admits(source)).unwrap_or(groups.len());
        if index == groups.len() {
            groups.push(Group::default());
        }
        if let Some(group) = groups.get_mut(index) {
            group.add(source);
        }
    }
    groups
}

impl<'a> Group<'a> {
    fn admits(&self, source: &SourceFiles) -> bool {
        match source.kind {
            SourceKind::Upstream(_) => self.sources.iter().any(|other| other.files == source.files),
            SourceKind::File => source.files.iter().all(|file| {
                self.has(file) || !file.declared().iter().any(|name| self.declared.contains(name))
            }),
        }
    }

    fn has(&self, file: &DescriptorFile) -> bool {
        let named = self.by_name.get(file.name()).map_or(&[][..], Vec::as_slice);
        named.iter().any(|other| other.says_the_same_as(file))
    }

    fn add(&mut self, source: &'a SourceFiles) {
        self.sources.push(source);
        for file in source.files.iter() {
            if !self.has(file) {
                self.declared.extend(file.declared());
                self.by_name.entry(file.name()).or_default().push(file);
            }
        }
    }

    /// Adds the files of a source whose names are all new.
    fn supplement(&mut self, source: &'a SourceFiles) {
        for file in source.files.iter() {
            let declared = file.declared();
            if !self.by_name.contains_key(file.name())
                && !declared.iter().any(|name| self.declared.contains(name))
            {
                self.declared.extend(declared);
                self.by_name.entry(file.name()).or_default().push(file);
                self.supplements.push(file);
                self.supplied_services.extend(file.services());
            }
        }
    }

    /// Whether a service is one of this group: upstreams may declare more than they have, in files that they share with
    /// others.
    pub(super) fn has_service(&self, service: &str) -> bool {
        self.sources.iter().any(|source| match &source.registered {
            Some(registered) => registered.binary_search_by(|name| name.as_str().cmp(service)).is_ok(),
            None => true,
        }) && !self.supplied_services.contains(service)
    }

    /// The files of all sources of the group.
    pub(super) fn files(&self) -> FileSet {
        let mut files = FileSet::default();
        let mut order = 0;
        for source in &self.sources {
            for file in source.files.iter() {
                order += 1;
                let named = self.by_name.get(file.name()).map_or(&[][..], Vec::as_slice);
                match named.iter().position(|other| std::ptr::eq(*other, file)) {
                    Some(0) => files.insert(file.clone().ordered(order)),
                    Some(_) => {
                        let name = format!("{} (of {})", file.name(), source.origin);
                        files.insert(file.renamed(&name).ordered(order));
                    }
                    // Another source has the same one.
                    None => {}
                }
            }
        }
        for file in &self.supplements {
            order += 1;
            files.insert((*file).clone().ordered(order));
        }
        files
    }

    /// How closely the calls of a service belong to the sources of this group: the length of the longest name of an
    /// upstream that has the service, 0 where it gets what no other one has, and nothing where it gets other services. Files
    /// that the user has given are closer than any.
    fn closeness(&self, service: &str) -> Option<usize> {
        self.sources.iter().filter_map(|source| closeness(&source.kind, service)).max()
    }
}

/// The index of the group whose descriptor of a service counts, among those that have one: that of the upstream that
/// gets its calls, or else the first.
pub(super) fn owner(groups: &[Group<'_>], having: &[usize], service: &str) -> Option<usize> {
    let closeness = |index: &usize| groups.get(*index).and_then(|group| group.closeness(service));
    // Of equals the last is the maximum.
    having.iter().rev().copied().max_by_key(closeness)
}

fn closeness(kind: &SourceKind, service: &str) -> Option<usize> {
    // What the user gives counts more than what an upstream says.
    let SourceKind::Upstream(services) = kind else { return Some(usize::MAX) };
    if services.is_empty() {
        return Some(0);
    }
    services.iter().filter(|name| covers(name, service)).map(String::len).max()
}

/// Whether a name is that of the service, or that of a package that it is in; the empty one is for all.
pub(super) fn covers(name: &str, service: &str) -> bool {
    let rest = service.strip_prefix(name);
    rest.is_some_and(|rest| name.is_empty() || rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use prost::Message as _;
    use prost_types::{DescriptorProto, FileDescriptorProto};

    use super::*;

    fn files(declared: &[(&str, &[&str])]) -> Arc<FileSet> {
        let mut set = FileSet::default();
        for (name, messages) in declared {
            let message =
                |name: &&str| DescriptorProto { name: Some((*name).to_owned()), ..Default::default() };
            let descriptor = FileDescriptorProto {
                name: Some((*name).to_owned()),
                message_type: messages.iter().map(message).collect(),
                ..FileDescriptorProto::default()
            };
            let bytes = Bytes::from(descriptor.encode_to_vec());
            set.insert(DescriptorFile::decode(bytes).expect("a descriptor"));
        }
        Arc::new(set)
    }

    fn upstream(names: &[&str], files: &Arc<FileSet>) -> SourceFiles {
        let services = names.iter().map(|name| (*name).to_owned()).collect();
        let kind = SourceKind::Upstream(services);
        SourceFiles { origin: "o".into(), files: Arc::clone(files), registered: None, kind }
    }

    fn file(files: &Arc<FileSet>) -> SourceFiles {
        let kind = SourceKind::File;
        SourceFiles { origin: "f".into(), files: Arc::clone(files), registered: None, kind }
    }

    #[test]
    fn a_service_belongs_to_the_longest_name() {
        let sets: Vec<_> = ["A", "B", "C"].iter().map(|name| files(&[("f", &[name])])).collect();
        let sources =
            [upstream(&[], &sets[0]), upstream(&["a", "x.Y"], &sets[1]), upstream(&["a.b"], &sets[2])];
        let groups = groups(&sources);
        for (service, expected) in
            [("a.S", 1), ("a.b.S", 2), ("a.bc.S", 1), ("ab.S", 0), ("x.Y", 1), ("x.Yes", 0), ("a.b", 2)]
        {
            assert_eq!(owner(&groups, &[0, 1, 2], service), Some(expected), "{service}");
        }
        assert_eq!(owner(&groups, &[1, 2], "c.S"), Some(1), "nobody gets its calls");
        assert_eq!(owner(&groups, &[], "c.S"), None);
    }

    #[test]
    fn upstreams_share_a_table_only_where_all_files_are_the_same() {
        let (one, other) = (files(&[("f", &["A"])]), files(&[("f", &["B"])]));
        let again = files(&[("f", &["A"])]);
        let sources = [upstream(&[], &one), upstream(&["b"], &other), upstream(&["c"], &again)];
        let groups = groups(&sources);
        assert_eq!(groups.iter().map(|group| group.sources.len()).collect::<Vec<_>>(), [2, 1]);
    }

    #[test]
    fn files_share_a_table_for_as_long_as_they_agree() {
        let sources = [
            file(&files(&[("common", &["A"]), ("api", &["B"])])),
            file(&files(&[("common", &["A"]), ("api", &["C"])])),
            // Another revision of a file, and the same type in another file.
            file(&files(&[("common", &["A", "A2"])])),
            file(&files(&[("copy", &["C"])])),
            file(&files(&[("more", &["D"])])),
        ];
        let groups = groups(&sources);
        assert_eq!(groups.iter().map(|group| group.sources.len()).collect::<Vec<_>>(), [3, 2]);
        let names: Vec<_> = groups[0].files().iter().map(|file| file.name().to_owned()).collect();
        assert_eq!(names, ["api", "api (of f)", "common", "more"]);
    }
}
