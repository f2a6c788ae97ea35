//! Which `.proto` files are meant: one, those of a folder, or those that match a pattern.

use std::io;
use std::path::{Component, Path, PathBuf};

use super::error::DescriptorError;

/// A `.proto` file to compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProtoFile {
    pub(super) path: PathBuf,
    /// The folders in which it and its imports are looked for.
    pub(super) includes: Vec<PathBuf>,
}

/// The files that the paths mean. One that is not there is looked for in the folders `includes`; where there are none of
/// these, imports are looked for in the folder of the file, or in the one that was given, or in the one that a pattern
/// begins with.
pub(super) fn expand(given: &[PathBuf], includes: &[PathBuf]) -> Result<Vec<ProtoFile>, DescriptorError> {
    let mut found = Vec::new();
    for path in given {
        let candidates =
            || std::iter::once(path.clone()).chain(includes.iter().map(|folder| folder.join(path)));
        let own =
            |folder: &Path| if includes.is_empty() { vec![folder.to_owned()] } else { includes.to_vec() };
        if candidates().any(|candidate| candidate.is_file()) {
            let includes = own(&parent(path));
            found.push(ProtoFile { path: path.clone(), includes });
        } else if let Some(folder) = candidates().find(|candidate| candidate.is_dir()) {
            let all = Path::new(&glob::Pattern::escape(&folder.to_string_lossy())).join("**/*.proto");
            let files = matching(&all)?;
            if files.is_empty() {
                return Err(not_found(path, "the folder has no .proto file".to_owned()));
            }
            found.extend(files.into_iter().map(|path| ProtoFile { path, includes: own(&folder) }));
        } else if is_pattern(path) {
            let mut files = candidates()
                .map(|pattern| matching(&pattern))
                .find(|files| !matches!(files, Ok(files) if files.is_empty()));
            let files =
                files.take().transpose()?.ok_or_else(|| not_found(path, "no file matches".to_owned()))?;
            let start = start(path);
            found.extend(files.into_iter().map(|path| ProtoFile { path, includes: own(&start) }));
        } else {
            return Err(missing(path, includes));
        }
    }
    Ok(found)
}

fn missing(path: &Path, includes: &[PathBuf]) -> DescriptorError {
    let folders: Vec<_> = includes.iter().map(|folder| folder.display().to_string()).collect();
    let text = if folders.is_empty() {
        "there is no such file".to_owned()
    } else {
        format!("there is no such file, here or in {}", folders.join(", "))
    };
    not_found(path, text)
}

fn not_found(path: &Path, text: String) -> DescriptorError {
    DescriptorError::Read { path: path.to_owned(), error: io::Error::new(io::ErrorKind::NotFound, text) }
}

/// The folder of a file.
fn parent(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

fn is_pattern(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?', '['])
}

/// The folder that a pattern begins with.
fn start(pattern: &Path) -> PathBuf {
    let fixed = pattern.components().take_while(|component| !is_pattern(Path::new(component.as_os_str())));
    let folder: PathBuf = fixed.collect();
    if folder.as_os_str().is_empty() { Component::CurDir.as_os_str().into() } else { folder }
}

/// The files that match, in the order of their names. `**` stands for any number of folders.
fn matching(pattern: &Path) -> Result<Vec<PathBuf>, DescriptorError> {
    let invalid = |error: glob::PatternError| DescriptorError::Read {
        path: pattern.to_owned(),
        error: io::Error::new(io::ErrorKind::InvalidInput, error),
    };
    let found = glob::glob(&pattern.to_string_lossy()).map_err(invalid)?;
    let files = found
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| DescriptorError::Read { path: error.path().to_owned(), error: error.into() })?;
    Ok(files.into_iter().filter(|path| path.is_file()).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// `a.proto`, `b/b.proto`, `b/c/c.proto` and a text below a folder.
    fn tree() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(folder.path().join("b/c")).expect("it can be made");
        for name in ["a.proto", "b/b.proto", "b/c/c.proto", "b/read.me"] {
            fs::write(folder.path().join(name), "").expect("it can be written");
        }
        folder
    }

    /// What is found, below the folder; and the includes.
    fn found(root: &Path, given: &str, includes: &[PathBuf]) -> Result<Vec<(String, Vec<PathBuf>)>, String> {
        let expanded = expand(&[root.join(given)], includes);
        let short = |file: ProtoFile| {
            let path = file.path.strip_prefix(root).expect("below the folder").to_string_lossy().into_owned();
            (path, file.includes)
        };
        let text = |error: DescriptorError| grpcws::proto::ErrorChain(&error).to_string();
        expanded.map(|files| files.into_iter().map(short).collect()).map_err(text)
    }

    #[test]
    fn folders_and_patterns_stand_for_the_files_that_are_there() {
        let tree = tree();
        let root = tree.path();
        let file = |path: &str, include: &str| (path.to_owned(), vec![root.join(include)]);
        assert_eq!(found(root, "b/b.proto", &[]), Ok(vec![file("b/b.proto", "b")]));
        assert_eq!(found(root, "b", &[]), Ok(vec![file("b/b.proto", "b"), file("b/c/c.proto", "b")]));
        assert_eq!(found(root, "b/*.proto", &[]), Ok(vec![file("b/b.proto", "b")]));
        let all = ["a.proto", "b/b.proto", "b/c/c.proto"].map(|path| file(path, ""));
        assert_eq!(found(root, "**/*.proto", &[]), Ok(all.to_vec()));
    }

    #[test]
    fn includes_that_are_given_count_and_what_is_not_here_is_looked_for_there() {
        let tree = tree();
        let includes = [tree.path().to_owned()];
        for (given, expected) in [
            ("b/b.proto", &["b/b.proto"] as &[&str]),
            ("b", &["b/b.proto", "b/c/c.proto"]),
            ("b/*/*.proto", &["b/c/c.proto"]),
        ] {
            let files = expand(&[given.into()], &includes).expect("they are there");
            assert!(files.iter().all(|file| file.includes == includes), "{files:?}");
            let paths: Vec<_> = files.iter().map(|file| file.path.clone()).collect();
            assert!(paths.iter().zip(expected).all(|(path, expected)| path.ends_with(expected)), "{paths:?}");
            assert_eq!(paths.len(), expected.len());
        }
    }

    #[test]
    fn what_is_not_there_is_told_by_what_was_given() {
        let tree = tree();
        let root = tree.path();
        fs::create_dir(root.join("empty")).expect("it can be made");
        for (given, reason) in [
            ("no.proto", "there is no such file"),
            ("empty", "the folder has no .proto file"),
            ("no*.proto", "no file matches"),
        ] {
            let error = found(root, given, &[]).expect_err("nothing is there");
            assert_eq!(error, format!("cannot read {}: {reason}", root.join(given).display()));
        }
        let error = expand(&["no.proto".into()], &["x".into(), "y".into()]).expect_err("nothing is there");
        let text = grpcws::proto::ErrorChain(&error).to_string();
        assert_eq!(text, "cannot read no.proto: there is no such file, here or in x, y");
    }
}
