//! Descriptors from files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, IncludeFileResolver};

use super::builtin;
use super::error::DescriptorError;
use super::files::FileSet;
use super::merge::{SourceFiles, SourceKind};
use super::options::DescriptorOptions;
use super::proto_files::{ProtoFile, expand};

/// Reads the descriptor sets and compiles the `.proto` files.
pub(super) fn read(options: &DescriptorOptions) -> Result<Vec<SourceFiles>, DescriptorError> {
    let protos = expand(&options.protos, &options.includes)?;
    let sets = options.descriptor_sets.iter().map(|path| set(path));
    let protos = protos.iter().map(|file| source(&file.path, compile(file, options.source_info)?));
    sets.chain(protos).collect()
}

fn set(path: &Path) -> Result<SourceFiles, DescriptorError> {
    let bytes = fs::read(path).map_err(|error| DescriptorError::Read { path: path.to_owned(), error })?;
    if bytes.is_empty() {
        return Err(DescriptorError::NotADescriptorSet {
            path: path.to_owned(),
            hint: ": it is empty",
            error: None,
        });
    }
    let hint = kind_of(&bytes);
    source(path, bytes.into()).map_err(|error| match error {
        DescriptorError::NotADescriptorSet { path, error, .. } => {
            DescriptorError::NotADescriptorSet { path, hint, error: error.filter(|_| hint.is_empty()) }
        }
        other => other,
    })
}

/// What a file that is no set is, if that can be seen.
fn kind_of(bytes: &[u8]) -> &'static str {
    let text = std::str::from_utf8(bytes).map(|text| text.trim_start_matches('\u{feff}').trim_start());
    match text {
        _ if bytes.starts_with(b"\x1f\x8b") => ": it is compressed, with gzip",
        Ok(text) if text.starts_with('{') => ": it is JSON, and not the binary form of a set",
        Ok(text)
            if ["syntax", "package", "message", "edition", "import"]
                .iter()
                .any(|word| text.contains(word)) =>
        {
            ": it is the source of a .proto file, which --proto takes"
        }
        _ => "",
    }
}

fn source(path: &Path, set: Bytes) -> Result<SourceFiles, DescriptorError> {
    let mut files = FileSet::default();
    files.extend_from_set(set).map_err(|error| DescriptorError::NotADescriptorSet {
        path: path.to_owned(),
        hint: "",
        error: Some(error),
    })?;
    Ok(SourceFiles {
        origin: path.display().to_string().into(),
        files: Arc::new(files),
        kind: SourceKind::File,
    })
}

/// Compiles a file with its imports. The bytes keep options that `prost_types` does not know.
fn compile(file: &ProtoFile, source_info: bool) -> Result<Bytes, DescriptorError> {
    let ProtoFile { path, includes } = file;
    let mut resolver = ChainFileResolver::new();
    includes.iter().for_each(|include| resolver.add(Folder::new(include)));
    resolver.add(builtin::Resolver);
    let mut compiler = Compiler::with_file_resolver(resolver);
    let compiled = compiler.include_imports(true).include_source_info(source_info).open_file(path);
    compiled
        .map(|compiler| Bytes::from(compiler.encode_file_descriptor_set()))
        .map_err(|error| failure(path, includes, &error))
}

/// A folder of `.proto` files. Some of them begin with a byte order mark, which protoc passes over and protox does not
/// know.
struct Folder {
    path: PathBuf,
    files: IncludeFileResolver,
}

impl Folder {
    fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), files: IncludeFileResolver::new(path.to_owned()) }
    }
}

impl FileResolver for Folder {
    fn resolve_path(&self, path: &Path) -> Option<String> {
        self.files.resolve_path(path)
    }

    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let opened = self.files.open_file(name);
        if !opened.as_ref().is_err_and(protox::Error::is_parse) {
            return opened;
        }
        match fs::read_to_string(self.path.join(name)) {
            Ok(source) if source.starts_with('\u{feff}') => {
                File::from_source(name, source.trim_start_matches('\u{feff}'))
            }
            _ => opened,
        }
    }
}

/// What went wrong, with the place, and with what to do where the reason is an edition.
fn failure(path: &Path, includes: &[PathBuf], error: &protox::Error) -> DescriptorError {
    // The compiler sees an edition as a line that it cannot parse; the file at fault may be an import.
    if error.is_parse() {
        let found = error.file().and_then(|name| {
            let candidates = includes.iter().map(|include| include.join(name));
            candidates.into_iter().find(|path| path.exists())
        });
        let found = found.unwrap_or_else(|| path.to_owned());
        if fs::read_to_string(&found).is_ok_and(|source| has_edition(&source)) {
            return DescriptorError::Edition { path: found };
        }
    }
    DescriptorError::Proto { path: path.to_owned(), reason: format!("{error:?}").trim().to_owned() }
}

/// Whether the first statement of a file is `edition = …`.
fn has_edition(source: &str) -> bool {
    let mut rest = source.trim_start_matches('\u{feff}').trim_start();
    loop {
        rest = if let Some(comment) = rest.strip_prefix("//") {
            comment.split_once('\n').map_or("", |(_, behind)| behind)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").map_or("", |(_, behind)| behind)
        } else {
            let behind = rest.strip_prefix("edition").map(str::trim_start);
            return behind.is_some_and(|behind| behind.starts_with('='));
        };
        rest = rest.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edition_is_seen_behind_comments() {
        for source in
            ["edition = \"2023\";", "// a\n/* b\n */ edition\n=\"2024\";", "\u{feff}\nedition=\"2023\";"]
        {
            assert!(has_edition(source), "{source}");
        }
        for source in ["", "syntax = \"proto3\";", "// edition = \"2023\";", "editions = 1", "/* edition ="] {
            assert!(!has_edition(source), "{source}");
        }
    }
}
