//! Descriptors from files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use protox::Compiler;
use protox::file::{ChainFileResolver, IncludeFileResolver};

use super::builtin;
use super::error::DescriptorError;
use super::files::FileSet;
use super::merge::{SourceFiles, SourceKind};
use super::options::DescriptorOptions;

/// Reads the descriptor sets and compiles the `.proto` files.
pub(super) fn read(options: &DescriptorOptions) -> Result<Vec<SourceFiles>, DescriptorError> {
    let sets = options.descriptor_sets.iter().map(|path| source(path, read_file(path)?.into()));
    let protos = options.protos.iter().map(|path| source(path, compile(path, &options.includes)?));
    sets.chain(protos).collect()
}

fn source(path: &Path, set: Bytes) -> Result<SourceFiles, DescriptorError> {
    let mut files = FileSet::default();
    files
        .extend_from_set(set)
        .map_err(|error| DescriptorError::NotADescriptorSet { path: path.to_owned(), error })?;
    Ok(SourceFiles {
        origin: path.display().to_string().into(),
        files: Arc::new(files),
        kind: SourceKind::File,
    })
}

fn read_file(path: &Path) -> Result<Vec<u8>, DescriptorError> {
    fs::read(path).map_err(|error| DescriptorError::Read { path: path.to_owned(), error })
}

/// Compiles a file with its imports. The bytes keep options that `prost_types` does not know.
fn compile(path: &Path, includes: &[PathBuf]) -> Result<Bytes, DescriptorError> {
    let own_folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let own_folder = [own_folder.unwrap_or(Path::new(".")).to_owned()];
    let includes = if includes.is_empty() { &own_folder } else { includes };
    if !path.exists() && !includes.iter().any(|include| include.join(path).exists()) {
        let error = io::Error::from(io::ErrorKind::NotFound);
        return Err(DescriptorError::Read { path: path.to_owned(), error });
    }
    let mut resolver = ChainFileResolver::new();
    includes.iter().for_each(|include| resolver.add(IncludeFileResolver::new(include.clone())));
    resolver.add(builtin::Resolver);
    let mut compiler = Compiler::with_file_resolver(resolver);
    let compiled = compiler.include_imports(true).open_file(path);
    compiled
        .map(|compiler| Bytes::from(compiler.encode_file_descriptor_set()))
        .map_err(|error| failure(path, includes, &error))
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
