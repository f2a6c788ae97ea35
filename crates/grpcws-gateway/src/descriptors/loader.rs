//! Loads descriptors, from wherever they come.

use std::fmt;

use bytes::Bytes;
use grpcws::routes::{ExtraRoute, RouteError};
use grpcws::services::Services;
use tokio::task::JoinSet;

use super::error::DescriptorError;
use super::files::FileSet;
use super::options::DescriptorOptions;
use super::reflection::{self, GrpcUpstream};
use super::resolve::{Omitted, resolve};
use super::sources;

/// Loads descriptors from files or from upstreams, each time anew. Keeps what an upstream has given last, for when it
/// cannot be asked.
pub struct Loader<S> {
    options: DescriptorOptions,
    upstreams: Vec<Source<S>>,
}

struct Source<S> {
    name: String,
    service: S,
    last: Option<FileSet>,
}

/// What was loaded.
#[derive(Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The services, with their routes.
    pub services: Services,
    /// The descriptors that they were made from.
    pub files: FileSet,
    /// The same as a serialized `FileDescriptorSet`.
    pub set: EncodedSet,
    /// Files that are not complete.
    pub omitted: Vec<Omitted>,
    /// Routes of the options that are not there.
    pub routes: Vec<RouteError>,
    /// The upstreams that could not be asked. What they have given before is there.
    pub failed: Vec<DescriptorError>,
}

/// A serialized `FileDescriptorSet`. Equal descriptors have equal ones.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct EncodedSet(pub Bytes);

impl fmt::Debug for EncodedSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncodedSet({} bytes)", self.0.len())
    }
}

impl<S: GrpcUpstream> Loader<S> {
    /// A loader without upstreams.
    #[must_use]
    pub fn new(options: DescriptorOptions) -> Self {
        Self { options, upstreams: Vec::new() }
    }

    /// Adds an upstream to ask, with the name that errors have for it. Where several have the same file, that of the
    /// first one counts.
    #[must_use]
    pub fn upstream(mut self, name: impl Into<String>, service: S) -> Self {
        self.upstreams.push(Source { name: name.into(), service, last: None });
        self
    }

    /// Loads everything. Several upstreams are asked at the same time.
    ///
    /// # Errors
    ///
    /// Files cannot be read; or no upstream can be asked, or has ever been. One that can be asked is enough.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the calls, and nothing that was kept is lost.
    pub async fn load(&mut self) -> Result<Loaded, DescriptorError> {
        let (files, failed) = if self.options.uses_reflection() {
            self.ask_upstreams().await?
        } else {
            (read_files(self.options.clone()).await?, Vec::new())
        };
        let routes = self.options.routes.clone();
        let finished = tokio::task::spawn_blocking(move || finish(files, failed, &routes)).await;
        finished.unwrap_or(Err(DescriptorError::Interrupted))
    }

    async fn ask_upstreams(&mut self) -> Result<(FileSet, Vec<DescriptorError>), DescriptorError> {
        let mut fetching = JoinSet::new();
        for (index, source) in self.upstreams.iter().enumerate() {
            let (name, service, options) =
                (source.name.clone(), source.service.clone(), self.options.clone());
            fetching.spawn(async move { (index, reflection::fetch(&name, service, &options).await) });
        }
        let mut failed = Vec::new();
        while let Some(joined) = fetching.join_next().await {
            let (index, result) = joined.map_err(|_| DescriptorError::Interrupted)?;
            match result {
                Ok(files) => {
                    if let Some(source) = self.upstreams.get_mut(index) {
                        source.last = Some(files);
                    }
                }
                Err(error) => failed.push(error),
            }
        }
        let mut files = FileSet::default();
        self.upstreams.iter().filter_map(|source| source.last.as_ref()).for_each(|last| files.merge(last));
        let nothing = self.upstreams.iter().all(|source| source.last.is_none());
        if nothing && !failed.is_empty() {
            return Err(failed.swap_remove(0));
        }
        Ok((files, failed))
    }
}

/// Files are read, and protos compiled, where that holds nobody up.
async fn read_files(options: DescriptorOptions) -> Result<FileSet, DescriptorError> {
    let read = tokio::task::spawn_blocking(move || sources::read(&options)).await;
    read.unwrap_or(Err(DescriptorError::Interrupted))
}

/// Makes services of files; with many of them that takes a while.
fn finish(
    mut files: FileSet,
    failed: Vec<DescriptorError>,
    extra: &[ExtraRoute],
) -> Result<Loaded, DescriptorError> {
    let omitted = resolve(&mut files);
    let set = EncodedSet(files.encode());
    let (services, routes) = with_routes(Services::from_file_descriptor_set(&set.0)?, extra);
    Ok(Loaded { services, files, set, omitted, routes, failed })
}

/// Adds the routes that can be added. A method that is not there may come with the next descriptors.
fn with_routes(services: Services, extra: &[ExtraRoute]) -> (Services, Vec<RouteError>) {
    let mut good: Vec<ExtraRoute> = Vec::new();
    let mut errors = Vec::new();
    for route in extra {
        good.push(route.clone());
        if let Err(error) = services.clone().with_routes(&good) {
            good.pop();
            errors.push(error);
        }
    }
    // They were all added before.
    let services = services.clone().with_routes(&good).unwrap_or(services);
    (services, errors)
}

impl<S> fmt::Debug for Loader<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let upstreams = self.upstreams.iter().map(|source| &source.name);
        f.debug_struct("Loader").field("upstreams", &upstreams.collect::<Vec<_>>()).finish_non_exhaustive()
    }
}
