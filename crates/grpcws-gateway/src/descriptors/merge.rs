//! Puts the descriptors of several sources together.
//!
//! The types of all of them are in one table, so of two files that declare the same name one has to go. That two files
//! have the same name is no such conflict: `api.proto` is a favourite. The second one gets another name then, which no
//! import has; but what a file may use is judged by the types that are there, and not by its imports.

use std::collections::HashMap;
use std::sync::Arc;

use super::files::{DescriptorFile, FileSet};

/// The descriptors of an upstream or of a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SourceFiles {
    /// The name of the upstream or of the file.
    pub(super) origin: Arc<str>,
    pub(super) files: Arc<FileSet>,
    /// The services that this upstream gets, by name or by the packages in front of it.
    pub(super) services: Arc<[String]>,
}

/// All files, each with its origin. Where some declare the same name, those that come first count: the files of the
/// services that their upstream gets, then those without services, then the others.
pub(super) fn merge(sources: &[SourceFiles]) -> FileSet {
    let mut found: Vec<(usize, &SourceFiles, &DescriptorFile)> = Vec::new();
    for source in sources {
        found.extend(source.files.iter().map(|file| (rank(file, source, sources), source, file)));
    }
    found.sort_by_key(|(rank, _, _)| *rank);
    let mut merged = FileSet::default();
    let mut by_name: HashMap<&str, Vec<&DescriptorFile>> = HashMap::new();
    for (order, (_, source, file)) in found.into_iter().enumerate() {
        let others = by_name.entry(file.name()).or_default();
        if others.iter().any(|other| other.descriptor() == file.descriptor()) {
            continue;
        }
        let named = match others.as_slice() {
            [] => file.clone(),
            _ => file.renamed(&format!("{} (of {})", file.name(), source.origin)),
        };
        others.push(file);
        merged.insert(named.of_source(&source.origin, order));
    }
    merged
}

/// How much a file has to stand behind others.
fn rank(file: &DescriptorFile, source: &SourceFiles, sources: &[SourceFiles]) -> usize {
    let mut services = file.services();
    let Some(first) = services.next() else { return 1 };
    let owned = is_owner(source, &first, sources) || services.any(|name| is_owner(source, &name, sources));
    if owned { 0 } else { 2 }
}

/// Whether calls of a service go to this upstream.
fn is_owner(source: &SourceFiles, service: &str, sources: &[SourceFiles]) -> bool {
    let longest = sources.iter().filter_map(|source| covered(source, service)).max();
    longest.is_some() && covered(source, service) == longest
}

/// The length of the longest name of a source that has the service; 0 where it gets what no other one has.
fn covered(source: &SourceFiles, service: &str) -> Option<usize> {
    if source.services.is_empty() {
        return Some(0);
    }
    let covers = |name: &&String| {
        service.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    source.services.iter().filter(covers).map(String::len).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_belongs_to_the_longest_name() {
        let source = |names: &[&str]| SourceFiles {
            origin: "o".into(),
            files: Arc::default(),
            services: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        let sources = [source(&[]), source(&["a", "x.Y"]), source(&["a.b"])];
        for (service, owner) in
            [("a.S", 1), ("a.b.S", 2), ("a.bc.S", 1), ("ab.S", 0), ("x.Y", 1), ("x.Yes", 0), ("a.b", 2)]
        {
            let owners: Vec<_> =
                (0..3).filter(|index| is_owner(&sources[*index], service, &sources)).collect();
            assert_eq!(owners, [owner], "{service}");
        }
    }
}
