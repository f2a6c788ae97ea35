//! Loads descriptors, from wherever they come.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use grpcws::proto::ErrorChain;
use grpcws::routes::RouteError;
use grpcws::services::{Services, WantedType};
use grpcws_json::MissingType;
use http::HeaderMap;
use tokio::task::JoinSet;

use super::error::DescriptorError;
use super::files::FileSet;
use super::finish::finish;
use super::merge::{SourceFiles, SourceKind, covers};
use super::options::DescriptorOptions;
use super::reflection::{Asking, Described, GrpcUpstream};
use super::resolve::Omitted;
use super::sources;

/// Loads descriptors from files or from upstreams, each time anew. Keeps what an upstream has given last, for when it
/// cannot be asked.
pub struct Loader<S> {
    options: DescriptorOptions,
    upstreams: Vec<Source<S>>,
    /// What the files had when they were read last.
    files: Option<Vec<SourceFiles>>,
    /// What was built last, and for which upstreams more was to come.
    built: Option<(Vec<SourceFiles>, Owners)>,
}

/// The services that upstreams get, by name or by the packages in front of them (an empty one is for all others), and
/// whether their descriptors are still to come.
type Owners = Vec<(String, bool)>;

struct Source<S> {
    name: Arc<str>,
    service: S,
    /// The services that it gets; all that no other one has where there are none.
    services: Arc<[String]>,
    /// What goes with the questions.
    metadata: HeaderMap,
    last: Option<Arc<Described>>,
    /// Types that messages had and the files lacked. They are asked for again with everything else.
    types: Vec<MissingType>,
    /// Whether it gave its descriptors when it was asked last.
    answered: bool,
    /// Whether it has said that it has no reflection.
    has_none: bool,
}

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Files are read, and all upstreams asked.
    All,
    /// Files are read.
    Files,
    /// All upstreams are asked.
    Upstreams,
    /// The upstreams are asked that gave nothing the last time.
    Failed,
}

/// What is new.
pub(super) struct Changes {
    /// Nothing where the descriptors are those that were built last.
    pub(super) loaded: Option<Loaded>,
    /// The upstreams that could not be asked, or have no reflection.
    pub(super) failed: Vec<DescriptorError>,
    /// Whether to ask again is no help.
    pub(super) complete: bool,
}

/// What was loaded.
#[derive(Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The services, with their routes.
    pub services: Services,
    /// The descriptors that they were made from. Where several sources have different ones under the same name, that of
    /// the first.
    pub files: FileSet,
    /// The `FileDescriptorSet`s that they were made from: one for each upstream that has other descriptors than those
    /// before.
    pub sets: Vec<EncodedSet>,
    /// Files that are not complete.
    pub omitted: Vec<Omitted>,
    /// Routes of the options that are not there.
    pub routes: Vec<RouteError>,
    /// The upstreams that could not be asked, or have no reflection. What they have given before is there.
    pub failed: Vec<DescriptorError>,
}

/// That an upstream has no reflection is an answer: to ask again does not help.
fn is_answer(error: &DescriptorError) -> bool {
    matches!(error, DescriptorError::NoReflection { .. })
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
        Self { options, upstreams: Vec::new(), files: None, built: None }
    }

    /// Adds an upstream to ask, with the name that errors have for it. Where several have the same service, the first
    /// one counts.
    #[must_use]
    pub fn upstream(self, name: impl Into<String>, service: S) -> Self {
        self.upstream_for(name, service, &[], HeaderMap::new())
    }

    /// Adds an upstream that gets the services of these names, and those whose packages they are. Its descriptors of
    /// these count, and not those of others. It is asked with this metadata.
    #[must_use]
    pub fn upstream_for(
        mut self,
        name: impl Into<String>,
        service: S,
        services: &[String],
        metadata: HeaderMap,
    ) -> Self {
        let services = services.iter().map(|name| name.trim_matches('.').to_owned()).collect();
        self.upstreams.push(Source {
            name: name.into().into(),
            service,
            services,
            metadata,
            last: None,
            types: Vec::new(),
            answered: false,
            has_none: false,
        });
        self
    }

    /// Loads everything. Several upstreams are asked at the same time.
    ///
    /// # Errors
    ///
    /// Files cannot be read; or no upstream has ever given descriptors, and one of them may still do so. Where none
    /// of them has reflection, that is the answer: there are no services.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the calls, and nothing that was kept is lost.
    pub async fn load(&mut self) -> Result<Loaded, DescriptorError> {
        let (sources, failed) = self.gather(Asked::All).await?;
        let mut loaded = self.build(sources).await?;
        loaded.failed = failed;
        Ok(loaded)
    }

    /// Reads the files, and asks nobody: what upstreams have is to come.
    ///
    /// # Errors
    ///
    /// Files cannot be read.
    pub async fn load_files(&mut self) -> Result<Loaded, DescriptorError> {
        let (sources, _) = self.gather(Asked::Files).await?;
        self.build(sources).await
    }

    /// Whom to ask first.
    pub(super) fn first_ask(&self) -> Option<Asked> {
        match (self.built.is_some(), self.options.uses_reflection()) {
            (false, _) => Some(Asked::All),
            (true, true) if self.upstreams.iter().any(|source| !source.answered) => Some(Asked::Upstreams),
            (true, _) => None,
        }
    }

    /// How often upstreams are asked without another reason.
    pub(super) fn refresh_interval(&self) -> Option<Duration> {
        self.options.refresh_interval.filter(|_| self.options.uses_reflection() && !self.upstreams.is_empty())
    }

    /// Looks for types that messages have and the descriptors lack. Returns what is new, if something is, and which of the
    /// types are nowhere.
    pub(super) async fn look_up(&mut self, wanted: &[WantedType]) -> (Option<Loaded>, Vec<WantedType>) {
        let mut absent = Vec::new();
        let mut found = false;
        for index in 0..self.upstreams.len() {
            let theirs: Vec<&WantedType> =
                wanted.iter().filter(|wanted| self.asked_for(&wanted.service) == Some(index)).collect();
            if theirs.is_empty() {
                continue;
            }
            let types: Vec<MissingType> = theirs.iter().map(|wanted| wanted.missing.clone()).collect();
            let missing = self.look_up_at(index, &types).await;
            found |= missing.len() < types.len();
            absent.extend(theirs.into_iter().filter(|wanted| missing.contains(&wanted.missing)).cloned());
        }
        let nobody = wanted.iter().filter(|wanted| self.asked_for(&wanted.service).is_none());
        absent.extend(nobody.cloned());
        if !found {
            return (None, absent);
        }
        match self.build(self.sources()).await {
            Ok(loaded) => (Some(loaded), absent),
            Err(error) => {
                tracing::warn!(error = %ErrorChain(&error), "types that were looked up cannot be used");
                (None, wanted.to_vec())
            }
        }
    }

    /// The upstream that gets the calls of a service.
    fn asked_for(&self, service: &str) -> Option<usize> {
        let closeness = |source: &Source<S>| {
            let names = source.services.iter().filter(|name| covers(name, service)).map(String::len);
            names.max().or(source.services.is_empty().then_some(0))
        };
        let described = self.upstreams.iter().enumerate().filter(|(_, source)| source.last.is_some());
        let near = described.filter_map(|(index, source)| Some((closeness(source)?, index)));
        near.max_by_key(|(closeness, index)| (*closeness, std::cmp::Reverse(*index))).map(|(_, index)| index)
    }

    /// Returns those that the upstream does not have.
    async fn look_up_at(&mut self, index: usize, types: &[MissingType]) -> Vec<MissingType> {
        let Some(source) = self.upstreams.get_mut(index) else { return types.to_vec() };
        let Some(known) = source.last.clone() else { return types.to_vec() };
        let asking = Asking {
            name: &source.name,
            service: source.service.clone(),
            metadata: &source.metadata,
            options: &self.options,
        };
        match asking.about(types, &known.files).await {
            Ok((files, absent)) => {
                let files = Arc::new(files);
                tracing::debug!(upstream = %source.name, ?types, ?absent, "types were looked up");
                let found = types.iter().filter(|missing| !absent.contains(missing));
                source.types.extend(found.cloned());
                let registered = Arc::clone(&known.registered);
                source.last = Some(Arc::new(Described { files, registered }));
                absent
            }
            Err(error) => {
                tracing::warn!(error = %ErrorChain(&error), "types cannot be looked up");
                types.to_vec()
            }
        }
    }

    /// Loads what may be new, and builds it if it is.
    pub(super) async fn load_changes(&mut self, asked: Asked) -> Result<Changes, DescriptorError> {
        let (sources, failed) = self.gather(asked).await?;
        let complete = failed.iter().all(is_answer);
        let unchanged =
            self.built.as_ref().is_some_and(|(built, owners)| *built == sources && *owners == self.owners());
        let loaded = if unchanged { None } else { Some(self.build(sources).await?) };
        Ok(Changes { loaded, failed, complete })
    }

    async fn build(&mut self, sources: Vec<SourceFiles>) -> Result<Loaded, DescriptorError> {
        let routes = self.options.routes.clone();
        let owners = self.owners();
        self.built = Some((sources.clone(), owners.clone()));
        let finished = tokio::task::spawn_blocking(move || finish(&sources, &routes)).await;
        let mut loaded = finished.unwrap_or(Err(DescriptorError::Interrupted))?;
        if !self.options.descriptor_sets.is_empty() {
            loaded.omitted.iter_mut().for_each(Omitted::explain_imports);
        }
        if owners.iter().any(|(_, to_come)| *to_come) {
            loaded.services = loaded.services.incomplete(move |service| is_to_come(&owners, service));
        }
        Ok(loaded)
    }

    fn owners(&self) -> Owners {
        if !self.options.uses_reflection() {
            return Owners::new();
        }
        let owners = self.upstreams.iter().flat_map(|source| {
            let to_come = source.last.is_none() && !source.has_none;
            let names = source.services.iter().cloned();
            names.chain(source.services.is_empty().then(String::new)).map(move |name| (name, to_come))
        });
        owners.collect()
    }

    async fn gather(
        &mut self,
        asked: Asked,
    ) -> Result<(Vec<SourceFiles>, Vec<DescriptorError>), DescriptorError> {
        if self.options.has_files() && (matches!(asked, Asked::All | Asked::Files) || self.files.is_none()) {
            self.files = Some(read_files(self.options.clone()).await?);
        }
        let mut failed = Vec::new();
        if self.options.uses_reflection() && asked != Asked::Files {
            failed = self.ask_upstreams(asked).await?;
        }
        let nothing = self.files.is_none() && self.upstreams.iter().all(|source| source.last.is_none());
        if nothing && let Some(error) = failed.iter().position(|error| !is_answer(error)) {
            return Err(failed.swap_remove(error));
        }
        Ok((self.sources(), failed))
    }

    /// What upstreams and files have given last.
    fn sources(&self) -> Vec<SourceFiles> {
        let of_upstreams = self.upstreams.iter().filter_map(Source::files);
        of_upstreams.chain(self.files.iter().flatten().cloned()).collect()
    }

    /// Asks at the same time, and keeps the answers.
    async fn ask_upstreams(&mut self, asked: Asked) -> Result<Vec<DescriptorError>, DescriptorError> {
        let mut fetching = JoinSet::new();
        for (index, source) in self.upstreams.iter().enumerate() {
            if asked == Asked::Failed && source.answered {
                continue;
            }
            let (name, service, options) =
                (Arc::clone(&source.name), source.service.clone(), self.options.clone());
            let (metadata, types) = (source.metadata.clone(), source.types.clone());
            fetching.spawn(async move {
                let asking = Asking { name: &name, service, metadata: &metadata, options: &options };
                (index, asking.everything(&types).await)
            });
        }
        let mut failed = Vec::new();
        while let Some(joined) = fetching.join_next().await {
            let (index, result) = joined.map_err(|_| DescriptorError::Interrupted)?;
            let Some(source) = self.upstreams.get_mut(index) else { continue };
            source.answered = result.is_ok();
            source.has_none = result.as_ref().is_err_and(is_answer);
            match result {
                Ok(described) => source.last = Some(Arc::new(described)),
                Err(error) => failed.push(error),
            }
        }
        Ok(failed)
    }
}

impl<S> Source<S> {
    fn files(&self) -> Option<SourceFiles> {
        let described = self.last.as_ref()?;
        let kind = SourceKind::Upstream(Arc::clone(&self.services));
        Some(SourceFiles {
            origin: Arc::clone(&self.name),
            files: Arc::clone(&described.files),
            registered: Some(Arc::clone(&described.registered)),
            kind,
        })
    }
}

/// Whether the upstream that gets the calls of a service has not given its descriptors yet.
fn is_to_come(owners: &[(String, bool)], service: &str) -> bool {
    let covering = owners.iter().filter(|(name, _)| covers(name, service));
    covering.max_by_key(|(name, _)| name.len()).is_some_and(|(_, to_come)| *to_come)
}

/// Files are read, and protos compiled, where that holds nobody up.
async fn read_files(options: DescriptorOptions) -> Result<Vec<SourceFiles>, DescriptorError> {
    let read = tokio::task::spawn_blocking(move || sources::read(&options)).await;
    read.unwrap_or(Err(DescriptorError::Interrupted))
}

impl<S> fmt::Debug for Loader<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let upstreams = self.upstreams.iter().map(|source| &source.name);
        f.debug_struct("Loader").field("upstreams", &upstreams.collect::<Vec<_>>()).finish_non_exhaustive()
    }
}
