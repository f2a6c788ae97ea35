//! Finds the route of a path: a tree of templates, one level for each segment.

use std::collections::HashMap;

use super::decode;
use super::template::{Segment, Template};

/// Templates, each with an index.
#[derive(Debug, Default)]
pub(super) struct Router {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<Box<str>, Node>,
    any: Option<Box<Node>>,
    /// Templates that end here.
    ends: Ends,
    /// Templates that end here with `**`.
    rest: Ends,
}

/// Indices of templates that end at one node: by the verb behind the last segment's colon, and of those without one.
#[derive(Debug, Default)]
struct Ends {
    plain: Vec<usize>,
    verbs: HashMap<Box<str>, Vec<usize>>,
}

impl Ends {
    fn get(&self, verb: Option<&str>, fits: Fits<'_>) -> Option<&[usize]> {
        let indices = match verb {
            None => &self.plain,
            Some(verb) => self.verbs.get(verb)?,
        };
        (!indices.is_empty() && fits(indices)).then_some(indices)
    }
}

/// Whether the templates that match a path have what is looked for. If not, those that match it less closely are tried.
pub(super) type Fits<'a> = &'a dyn Fn(&[usize]) -> bool;

impl Router {
    /// The indices of the templates that match the same paths as this one, to which its own can be added.
    pub(super) fn same_paths(&mut self, template: &Template) -> &mut Vec<usize> {
        let mut node = &mut self.root;
        for segment in &template.segments {
            node = match segment {
                Segment::Literal(literal) => node.literals.entry(literal.clone()).or_default(),
                Segment::Any => node.any.get_or_insert_default(),
                Segment::Rest => break,
            };
        }
        let ends = if template.has_rest() { &mut node.rest } else { &mut node.ends };
        match &template.verb {
            None => &mut ends.plain,
            Some(verb) => ends.verbs.entry(verb.clone()).or_default(),
        }
    }

    /// The indices of the templates that match a path (percent-encoded, with its leading slash) most closely, of those
    /// that fit: segment by segment a literal comes before `*`, and that before `**`. A path whose last segment ends with
    /// the verb of a template is that template's, before it is one without a verb.
    pub(super) fn find(&self, path: &str, fits: Fits<'_>) -> Option<&[usize]> {
        let segments = path.strip_prefix('/')?;
        let with_verb = split_verb(segments).and_then(|(segments, verb)| {
            let verb = decode::segment(verb).ok()?;
            self.root.find(Some(segments), Some(&verb), fits)
        });
        with_verb
            .or_else(|| self.root.find(Some(segments).filter(|segments| !segments.is_empty()), None, fits))
    }
}

/// The segments without the verb of the last one, and the verb.
pub(super) fn split_verb(segments: &str) -> Option<(&str, &str)> {
    let (before, verb) = segments.rsplit_once(':')?;
    (!verb.contains('/')).then_some((before, verb))
}

impl Node {
    /// Each node is reached by one sequence of segments, so a search looks at every node at most once.
    fn find(&self, segments: Option<&str>, verb: Option<&str>, fits: Fits<'_>) -> Option<&[usize]> {
        let Some(segments) = segments else {
            return self.ends.get(verb, fits).or_else(|| self.rest.get(verb, fits));
        };
        let (segment, behind) = match segments.split_once('/') {
            Some((segment, behind)) => (segment, Some(behind)),
            None => (segments, None),
        };
        // A segment that cannot be decoded is no literal; a variable that captures it is an error with a reason.
        let literal = decode::segment(segment).ok();
        let literal = literal.and_then(|segment| self.literals.get(&*segment)?.find(behind, verb, fits));
        let any = || self.any.as_ref().filter(|_| !segment.is_empty())?.find(behind, verb, fits);
        literal.or_else(any).or_else(|| self.rest.get(verb, fits))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn router(templates: &[&str]) -> Router {
        let mut router = Router::default();
        for (index, template) in templates.iter().enumerate() {
            router.same_paths(&Template::parse(template).expect("a template")).push(index);
        }
        router
    }

    #[test]
    fn the_closest_template_wins() {
        let templates = [
            "/v1/books/new",
            "/v1/books/{id}",
            "/v1/{collection}/new",
            "/v1/**",
            "/v1/books/{id}:watch",
            "/v1/**:watch",
            "/v1/books/{id}/pages/*",
            "/v1/books:search",
            "/files/{path=**}",
            "/",
        ];
        let router = router(&templates);
        for (path, expected) in [
            ("/v1/books/new", Some("/v1/books/new")),
            ("/v1/books/%6eew", Some("/v1/books/new")),
            ("/v1/books/7", Some("/v1/books/{id}")),
            ("/v1/games/new", Some("/v1/{collection}/new")),
            ("/v1/games/7", Some("/v1/**")),
            ("/v1/books/7/pages/1", Some("/v1/books/{id}/pages/*")),
            // No other template fits, so the search goes back to `**`.
            ("/v1/books/7/pages", Some("/v1/**")),
            ("/v1/books/7/pages/", Some("/v1/**")),
            ("/v1/books/", Some("/v1/**")),
            ("/v1", Some("/v1/**")),
            ("/v1/books/7:watch", Some("/v1/books/{id}:watch")),
            ("/v1/books/7:8", Some("/v1/books/{id}")),
            ("/v1/books/7:8:watch", Some("/v1/books/{id}:watch")),
            ("/v1/books/7%3Awatch", Some("/v1/books/{id}")),
            ("/v1/books/7:watch/pages", Some("/v1/**")),
            ("/v1/books:search", Some("/v1/books:search")),
            ("/v1/x:watch", Some("/v1/**:watch")),
            ("/files", Some("/files/{path=**}")),
            ("/files/", Some("/files/{path=**}")),
            ("/files/a//b", Some("/files/{path=**}")),
            ("/file", None),
            ("/V1/books/7", None),
            ("", None),
            ("/", Some("/")),
            ("v1", None),
            ("//v1", None),
            ("/%zz", None),
        ] {
            let found = router.find(path, &|_| true);
            assert_eq!(found.map(|indices| templates[indices[0]]), expected, "{path}");
        }
    }

    #[test]
    fn the_closest_template_that_fits_wins() {
        let templates = ["/v1/books/new", "/v1/books/{id}", "/v1/**"];
        let router = router(&templates);
        for (fitting, expected) in
            [(&[0, 1, 2][..], Some(0)), (&[1, 2], Some(1)), (&[2], Some(2)), (&[], None)]
        {
            let fits = |indices: &[usize]| indices.iter().any(|index| fitting.contains(index));
            let found = router.find("/v1/books/new", &fits);
            assert_eq!(found.map(|indices| indices[0]), expected, "{fitting:?}");
        }
    }

    #[test]
    fn templates_that_match_the_same_paths_are_together() {
        let mut router = router(&["/v1/{a}/x", "/v1/{b}/x:verb", "/v1/{c=**}"]);
        for (template, expected) in [
            ("/v1/*/x", &[0][..]),
            ("/v1/{other}/x", &[0]),
            ("/v1/*/%78:verb", &[1]),
            ("/v1/**", &[2]),
            ("/v1/**:verb", &[]),
            ("/v1/*/y", &[]),
            ("/", &[]),
        ] {
            let template = Template::parse(template).expect("a template");
            assert_eq!(router.same_paths(&template), expected);
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(path in "[/%:a-c.*{}2eF]{0,60}") {
            let router = router(&["/a/{b}/c", "/a/**", "/{a}/{b}/{c}:a", "/a/b:c"]);
            let _ = router.find(&path, &|_| true);
        }
    }
}
