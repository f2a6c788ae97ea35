//! Makes services of the files of all sources.

use std::collections::HashMap;

use grpcws::routes::ExtraRoute;
use grpcws::services::Services;

use super::error::DescriptorError;
use super::files::FileSet;
use super::loader::{EncodedSet, Loaded};
use super::merge::{SourceFiles, groups, owner};
use super::resolve::resolve;

/// Makes services of files; with many of them that takes a while.
pub(super) fn finish(sources: &[SourceFiles], extra: &[ExtraRoute]) -> Result<Loaded, DescriptorError> {
    let groups = groups(sources);
    let mut files = FileSet::default();
    let (mut sets, mut each, mut omitted) = (Vec::new(), Vec::new(), Vec::new());
    for group in &groups {
        let mut own = group.files();
        omitted.extend(resolve(&mut own));
        let set = EncodedSet(own.encode());
        let services = Services::from_file_descriptor_set(&set.0)?;
        let has = |service: &str| group.has_service(service);
        let all = services.iter().all(|service| has(service.full_name()));
        each.push(if all { services } else { services.retain(has) });
        sets.push(set);
        files.extend(own);
    }
    let services = joined(each, |having, service| owner(&groups, having, service));
    for omitted in &mut omitted {
        omitted.services.retain(|service| services.service(service).is_none());
    }
    // A method that is not there may come with the next descriptors.
    let (services, routes) = services.with_valid_routes(extra);
    Ok(Loaded { services, files, sets, omitted, routes, failed: Vec::new() })
}

/// The services of all sets. Of those that have the same one, `owner` says which set's counts.
fn joined(mut sets: Vec<Services>, owner: impl Fn(&[usize], &str) -> Option<usize>) -> Services {
    if sets.len() == 1
        && let Some(only) = sets.pop()
    {
        return only;
    }
    let mut having: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, set) in sets.iter().enumerate() {
        for service in set {
            having.entry(service.full_name().to_owned()).or_default().push(index);
        }
    }
    let owners: HashMap<&str, Option<usize>> =
        having.iter().map(|(service, having)| (service.as_str(), owner(having, service))).collect();
    let keeps = |index: usize, service: &str| owners.get(service).is_some_and(|owner| *owner == Some(index));
    Services::of_several(
        sets.into_iter().enumerate().map(|(index, set)| set.retain(|service| keeps(index, service))),
    )
}
