//! Descriptors from files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use protox::Compiler;
use protox::file::{ChainFileResolver, IncludeFileResolver};

use super::error::DescriptorError;
use super::files::FileSet;
use super::merge::{SourceFiles, SourceKind};
use super::options::DescriptorOptions;
use super::{builtin, size};

/// Reads the descriptor sets and compiles the `.proto` files.
pub(super) fn read(options: &DescriptorOptions) -> Result<Vec<SourceFiles>, DescriptorError> {
    let mut sources = Vec::new();
    for path in &options.descriptor_sets {
        sources.push(source(path, read_file(path)?.into(), options)?);
    }
    for (path, set) in compile_all(&options.protos, &options.includes)? {
        sources.push(source(&path, set, options)?);
    }
    Ok(sources)
}

fn source(path: &Path, set: Bytes, options: &DescriptorOptions) -> Result<SourceFiles, DescriptorError> {
    let not_a_set = |error| DescriptorError::NotADescriptorSet { path: path.to_owned(), error };
    let too_large = |limit| DescriptorError::FileTooLarge { path: path.to_owned(), limit };
    if set.len() > options.max_bytes {
        return Err(too_large(format!("{} bytes (--max-descriptor-bytes)", options.max_bytes)));
    }
    let most = options.max_declarations;
    if size::declarations_of_set(&set) > most {
        return Err(too_large(format!("{most} declarations (--max-declarations)")));
    }
    let mut files = FileSet::default();
    files.extend_from_set(set).map_err(not_a_set)?;
    Ok(SourceFiles {
        origin: path.display().to_string().into(),
        files: Arc::new(files),
        registered: None,
        kind: SourceKind::File,
    })
}

fn read_file(path: &Path) -> Result<Vec<u8>, DescriptorError> {
    fs::read(path).map_err(|error| DescriptorError::Read { path: path.to_owned(), error })
}

/// Compiles files with their imports. Those that look for imports in the same folders are compiled together, so that what
/// many of them import is compiled once; one that does not go together with those before is compiled by itself.
fn compile_all(paths: &[PathBuf], includes: &[PathBuf]) -> Result<Vec<(PathBuf, Bytes)>, DescriptorError> {
    let mut sets: Vec<(PathBuf, Vec<PathBuf>, Compiler)> = Vec::new();
    for path in paths {
        let includes = folders(path, includes);
        if !path.exists() && !includes.iter().any(|include| include.join(path).exists()) {
            let error = io::Error::from(io::ErrorKind::NotFound);
            return Err(DescriptorError::Read { path: path.clone(), error });
        }
        let mut same = sets.iter_mut().filter(|(_, folders, _)| *folders == includes);
        if same.any(|(_, _, compiler)| compiler.open_file(path).is_ok()) {
            continue;
        }
        let mut compiler = compiler(&includes);
        compiler.open_file(path).map_err(|error| failure(path, &includes, &error))?;
        sets.push((path.clone(), includes, compiler));
    }
    // The bytes keep options that `prost_types` does not know.
    Ok(sets
        .into_iter()
        .map(|(path, _, compiler)| (path, Bytes::from(compiler.encode_file_descriptor_set())))
        .collect())
}

/// Where a file and its imports are looked for.
fn folders(path: &Path, includes: &[PathBuf]) -> Vec<PathBuf> {
    if !includes.is_empty() {
        return includes.to_vec();
    }
    let own_folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    vec![own_folder.unwrap_or(Path::new(".")).to_owned()]
}

fn compiler(includes: &[PathBuf]) -> Compiler {
    let mut resolver = ChainFileResolver::new();
    includes.iter().for_each(|include| resolver.add(IncludeFileResolver::new(include.clone())));
    resolver.add(builtin::Resolver);
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true);
    compiler
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
    fn files_of_the_same_folders_are_compiled_together_for_as_long_as_they_agree() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, body: &str| {
            let text = format!("syntax = \"proto3\"; package p; {body}");
            std::fs::write(folder.path().join(name), text).expect("it is written");
            PathBuf::from(name)
        };
        write("common.proto", "message Common {}");
        let user = |message: &str| format!("import \"common.proto\"; message {message} {{ Common c = 1; }}");
        let paths = [
            write("a.proto", &user("A")),
            write("b.proto", &user("B")),
            write("other_a.proto", &user("A")),
            write("c.proto", &user("C")),
        ];
        let includes = [folder.path().to_owned()];
        let sets = compile_all(&paths, &includes).expect("each compiles");
        let names = |set: &Bytes| {
            let mut files = FileSet::default();
            files.extend_from_set(set.clone()).expect("a set");
            files.iter().map(|file| file.name().to_owned()).collect::<Vec<_>>()
        };
        let [(_, together), (path, alone)] = sets.as_slice() else { panic!("{} sets", sets.len()) };
        assert_eq!(names(together), ["a.proto", "b.proto", "c.proto", "common.proto"]);
        assert_eq!(
            (names(alone), path.as_path()),
            (vec!["common.proto".to_owned(), "other_a.proto".to_owned()], Path::new("other_a.proto"))
        );
        let broken = write("broken.proto", "message");
        let error =
            compile_all(&[paths.to_vec(), vec![broken]].concat(), &includes).expect_err("it is broken");
        assert!(error.to_string().contains("broken.proto"), "{error}");
    }

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
