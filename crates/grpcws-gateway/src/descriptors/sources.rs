//! Descriptors from files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, IncludeFileResolver};

use super::error::DescriptorError;
use super::files::FileSet;
use super::merge::{SourceFiles, SourceKind};
use super::options::DescriptorOptions;
use super::proto_files::{ProtoFile, expand};
use super::{builtin, size};

/// Reads the descriptor sets and compiles the `.proto` files.
pub(super) fn read(options: &DescriptorOptions) -> Result<Vec<SourceFiles>, DescriptorError> {
    let mut sources = Vec::new();
    for path in &options.descriptor_sets {
        sources.push(set(path, options)?);
    }
    let protos = expand(&options.protos, &options.includes)?;
    for (path, set) in compile_all(&protos, options.source_info)? {
        sources.push(source(&path, set, options)?);
    }
    Ok(sources)
}

fn set(path: &Path, options: &DescriptorOptions) -> Result<SourceFiles, DescriptorError> {
    let bytes = fs::read(path).map_err(|error| DescriptorError::Read { path: path.to_owned(), error })?;
    if bytes.is_empty() {
        return Err(DescriptorError::NotADescriptorSet {
            path: path.to_owned(),
            hint: ": it is empty",
            error: None,
        });
    }
    let hint = kind_of(&bytes);
    source(path, bytes.into(), options).map_err(|error| match error {
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

fn source(path: &Path, set: Bytes, options: &DescriptorOptions) -> Result<SourceFiles, DescriptorError> {
    let too_large = |limit| DescriptorError::FileTooLarge { path: path.to_owned(), limit };
    if set.len() > options.max_bytes {
        return Err(too_large(format!("{} bytes (--max-descriptor-bytes)", options.max_bytes)));
    }
    let most = options.max_declarations;
    if size::declarations_of_set(&set) > most {
        return Err(too_large(format!("{most} declarations (--max-declarations)")));
    }
    let mut files = FileSet::default();
    files.extend_from_set(set).map_err(|error| DescriptorError::NotADescriptorSet {
        path: path.to_owned(),
        hint: "",
        error: Some(error),
    })?;
    Ok(SourceFiles {
        origin: path.display().to_string().into(),
        files: Arc::new(files),
        registered: None,
        kind: SourceKind::File,
    })
}

/// Compiles files with their imports. Those that look for imports in the same folders are compiled together, so that what
/// many of them import is compiled once; one that does not go together with those before is compiled by itself.
fn compile_all(files: &[ProtoFile], source_info: bool) -> Result<Vec<(PathBuf, Bytes)>, DescriptorError> {
    let mut sets: Vec<(&ProtoFile, Compiler)> = Vec::new();
    for file in files {
        let ProtoFile { path, includes } = file;
        let mut same = sets.iter_mut().filter(|(first, _)| first.includes == *includes);
        if same.any(|(_, compiler)| compiler.open_file(path).is_ok()) {
            continue;
        }
        let mut compiler = compiler(includes, source_info);
        compiler.open_file(path).map_err(|error| failure(path, includes, &error))?;
        sets.push((file, compiler));
    }
    // The bytes keep options that `prost_types` does not know.
    Ok(sets
        .into_iter()
        .map(|(first, compiler)| (first.path.clone(), Bytes::from(compiler.encode_file_descriptor_set())))
        .collect())
}

fn compiler(includes: &[PathBuf], source_info: bool) -> Compiler {
    let mut resolver = ChainFileResolver::new();
    includes.iter().for_each(|include| resolver.add(Folder::new(include)));
    resolver.add(builtin::Resolver);
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(source_info);
    compiler
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
    fn files_of_the_same_folders_are_compiled_together_for_as_long_as_they_agree() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, body: &str| {
            let text = format!("syntax = \"proto3\"; package p; {body}");
            std::fs::write(folder.path().join(name), text).expect("it is written");
            ProtoFile { path: PathBuf::from(name), includes: vec![folder.path().to_owned()] }
        };
        write("common.proto", "message Common {}");
        let user = |message: &str| format!("import \"common.proto\"; message {message} {{ Common c = 1; }}");
        let paths = [
            write("a.proto", &user("A")),
            write("b.proto", &user("B")),
            write("other_a.proto", &user("A")),
            write("c.proto", &user("C")),
        ];
        let sets = compile_all(&paths, false).expect("each compiles");
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
        let error = compile_all(&[paths.to_vec(), vec![broken]].concat(), false).expect_err("it is broken");
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
