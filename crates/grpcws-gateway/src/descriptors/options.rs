//! What is chosen about descriptors.

use std::path::PathBuf;
use std::time::Duration;

use grpcws::routes::ExtraRoute;

/// Where descriptors come from, and what they may cost.
///
/// Where files are given, those are read and the upstreams are not asked, unless [`reflection`](Self::reflection) says
/// so.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DescriptorOptions {
    /// Files with a serialized `google.protobuf.FileDescriptorSet` each, as `protoc --include_imports -o FILE` and
    /// `buf build -o FILE` write them. Default: none.
    pub descriptor_sets: Vec<PathBuf>,
    /// `.proto` files to compile; a folder stands for those below it, and a pattern (`api/**/*.proto`) for those that
    /// match. Default: none.
    pub protos: Vec<PathBuf>,
    /// The folders in which `.proto` files and their imports are looked for; where there are none, the folder of
    /// each `.proto` file. Default: none.
    pub includes: Vec<PathBuf>,
    /// Whether descriptors of `.proto` files have their comments. They can be most of a descriptor. Default: no.
    pub source_info: bool,
    /// Routes besides those of the annotations `google.api.http`. Default: none.
    pub routes: Vec<ExtraRoute>,
    /// Types or services to ask an upstream for, besides the services that it lists. Default: none.
    pub symbols: Vec<String>,
    /// Whether upstreams are asked by server reflection. Default: if no files are given.
    pub reflection: Reflection,
    /// How often upstreams are asked anew without another reason; none for never. Default: 10 min.
    pub refresh_interval: Option<Duration>,
    /// The time that an upstream has to give all of its descriptors. Default: 10 s.
    pub timeout: Duration,
    /// The most bytes of all descriptors of an upstream together, and of a file that is given; as many may be in memory
    /// three times while they are loaded. Default: 64 MiB.
    pub max_bytes: usize,
    /// The most files, and the most services, of an upstream. Default: 20,000.
    pub max_files: usize,
    /// The most declarations of an upstream, or in a file that is given: messages, fields, enums and their values,
    /// services, methods, imports, and whatever else there may be any number of. Each takes up to 1 KiB of memory while
    /// descriptors are loaded, however few bytes it has. Default: 500,000.
    pub max_declarations: usize,
}

/// Whether upstreams are asked for descriptors by server reflection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Reflection {
    /// If no files are given.
    #[default]
    WithoutFiles,
    /// Always. Files that are given count more; what they lack comes from the upstreams, and the other way round.
    Always,
}

impl Default for DescriptorOptions {
    fn default() -> Self {
        Self {
            descriptor_sets: Vec::new(),
            protos: Vec::new(),
            includes: Vec::new(),
            source_info: false,
            routes: Vec::new(),
            symbols: Vec::new(),
            reflection: Reflection::default(),
            refresh_interval: Some(Duration::from_secs(10 * 60)),
            timeout: Duration::from_secs(10),
            max_bytes: 64 << 20,
            max_files: 20_000,
            max_declarations: 500_000,
        }
    }
}

impl DescriptorOptions {
    /// Whether the upstreams are asked for descriptors.
    #[must_use]
    pub fn uses_reflection(&self) -> bool {
        self.reflection == Reflection::Always || !self.has_files()
    }

    /// Whether files are given.
    #[must_use]
    pub fn has_files(&self) -> bool {
        !self.descriptor_sets.is_empty() || !self.protos.is_empty()
    }

    /// Adds one of the [`descriptor_sets`](Self::descriptor_sets).
    #[must_use]
    pub fn descriptor_set(mut self, file: impl Into<PathBuf>) -> Self {
        self.descriptor_sets.push(file.into());
        self
    }

    /// Adds one of the [`protos`](Self::protos).
    #[must_use]
    pub fn proto(mut self, file: impl Into<PathBuf>) -> Self {
        self.protos.push(file.into());
        self
    }

    /// Adds one of the [`includes`](Self::includes).
    #[must_use]
    pub fn include(mut self, folder: impl Into<PathBuf>) -> Self {
        self.includes.push(folder.into());
        self
    }

    /// Sets [`source_info`](Self::source_info).
    #[must_use]
    pub fn source_info(mut self, wanted: bool) -> Self {
        self.source_info = wanted;
        self
    }

    /// Sets [`routes`](Self::routes).
    #[must_use]
    pub fn routes(mut self, routes: Vec<ExtraRoute>) -> Self {
        self.routes = routes;
        self
    }

    /// Adds one of the [`symbols`](Self::symbols).
    #[must_use]
    pub fn symbol(mut self, name: impl Into<String>) -> Self {
        self.symbols.push(name.into());
        self
    }

    /// Sets [`reflection`](Self::reflection).
    #[must_use]
    pub fn reflection(mut self, reflection: Reflection) -> Self {
        self.reflection = reflection;
        self
    }

    /// Sets [`refresh_interval`](Self::refresh_interval); none and zero turn it off.
    #[must_use]
    pub fn refresh_interval(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.refresh_interval = interval.into().filter(|interval| !interval.is_zero());
        self
    }

    /// Sets [`timeout`](Self::timeout).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets [`max_bytes`](Self::max_bytes).
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets [`max_files`](Self::max_files).
    #[must_use]
    pub fn max_files(mut self, files: usize) -> Self {
        self.max_files = files;
        self
    }

    /// Sets [`max_declarations`](Self::max_declarations).
    #[must_use]
    pub fn max_declarations(mut self, declarations: usize) -> Self {
        self.max_declarations = declarations;
        self
    }
}
