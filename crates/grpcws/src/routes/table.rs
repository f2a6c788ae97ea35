//! All routes of the services.

use std::collections::HashSet;

use super::binding::Binding;
use super::error::{RouteError, RouteErrorReason};
use super::extra::ExtraRoute;
use super::request::RouteMatch;
use super::router::Router;
use crate::services::{HttpRule, Method, Service};

/// The routes by the annotations `google.api.http` of the services' methods, and the extra ones.
///
/// Where two routes match the same paths, an extra one is kept before one of an annotation, and among those the one
/// whose HTTP method is nearer to opening a stream: a custom `WEBSOCKET`, `GET`, any other custom one, `POST`, `PUT`,
/// `PATCH`, `DELETE`. Between equals the one that is declared first is kept. The others are among the
/// [`problems`](Self::problems).
#[derive(Debug, Default)]
pub struct Routes {
    bindings: Vec<Binding>,
    router: Router,
    problems: Vec<RouteError>,
    /// The paths of the methods for which there is to be a route, bound or not.
    bound: HashSet<Box<str>>,
}

impl Routes {
    /// The route of a path, which is percent-encoded, begins with a slash and has no query.
    ///
    /// A path with a fault (an escape that is not valid, say) may have a route; binding then tells the fault.
    #[must_use]
    pub fn find<'a>(&'a self, path: &'a str) -> Option<RouteMatch<'a>> {
        let binding = self.bindings.get(self.router.find(path)?)?;
        Some(RouteMatch::new(binding, path))
    }

    /// The path templates and their methods, those that are kept first in a conflict coming first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Method)> {
        self.bindings.iter().map(|binding| (&*binding.path, &binding.method))
    }

    /// Whether a method has a route, by an annotation or an extra one. One that is among the
    /// [`problems`](Self::problems) counts too, and so does an extra route that
    /// [`Services::with_valid_routes`](crate::services::Services::with_valid_routes) has left out: a method whose
    /// routes restrict its requests stays restricted if one of them is wrong.
    #[must_use]
    pub fn is_bound(&self, method: &Method) -> bool {
        self.bound.contains(method.path())
    }

    /// The annotations that are not bound, and why.
    #[must_use]
    pub fn problems(&self) -> &[RouteError] {
        &self.problems
    }

    /// The routes of the annotations.
    pub(crate) fn new(services: &[Service]) -> Self {
        Self::with_extra(services, &[]).0
    }

    /// The extra routes, and those of the annotations behind them; and the extra routes that cannot be added.
    pub(crate) fn with_extra(services: &[Service], extra: &[ExtraRoute]) -> (Self, Vec<RouteError>) {
        let mut routes = Self::default();
        let mut errors = Vec::new();
        for extra in extra {
            if let Err(reason) = routes.add_extra(services, extra) {
                errors.push(error(&extra.path, &extra.method, reason));
            }
        }
        routes.add_annotations(services);
        (routes, errors)
    }

    fn add_annotations(&mut self, services: &[Service]) {
        let methods = services.iter().flat_map(Service::methods);
        let mut rules: Vec<(&Method, &HttpRule)> =
            methods.flat_map(|method| method.http_rules().iter().map(move |rule| (method, rule))).collect();
        rules.sort_by_key(|(_, rule)| rank(rule.verb()));
        for (method, rule) in rules {
            match self.add(method, Binding::of_rule(method, rule)) {
                // One method by two HTTP methods is one route.
                Err(RouteErrorReason::Taken { method: taken }) if taken == method.full_name() => {}
                Err(reason) => self.problems.push(error(rule.path(), &method.full_name(), reason)),
                Ok(()) => {}
            }
        }
    }

    fn add_extra(&mut self, services: &[Service], extra: &ExtraRoute) -> Result<(), RouteErrorReason> {
        let (service, name) = extra.method_name().ok_or(RouteErrorReason::UnknownMethod)?;
        let service = services.iter().find(|found| found.full_name() == service);
        let method =
            service.and_then(|service| service.method(name)).ok_or(RouteErrorReason::UnknownMethod)?;
        self.add(method, Binding::of_extra(method, extra))
    }

    fn add(
        &mut self,
        method: &Method,
        binding: Result<Binding, RouteErrorReason>,
    ) -> Result<(), RouteErrorReason> {
        if !self.is_bound(method) {
            self.bound.insert(method.path().into());
        }
        let binding = binding?;
        match self.router.insert(&binding.template, self.bindings.len()) {
            Ok(()) => {
                self.bindings.push(binding);
                Ok(())
            }
            Err(before) => {
                let taken = self.bindings.get(before).map(|binding| binding.method.full_name());
                Err(RouteErrorReason::Taken { method: taken.unwrap_or_default() })
            }
        }
    }
}

fn error(path: &str, method: &str, reason: RouteErrorReason) -> RouteError {
    RouteError { path: path.to_owned(), method: method.to_owned(), reason: Box::new(reason) }
}

/// In which order HTTP methods are kept.
fn rank(verb: &str) -> u8 {
    match verb {
        verb if verb.eq_ignore_ascii_case("websocket") => 0,
        "GET" => 1,
        "POST" => 3,
        "PUT" => 4,
        "PATCH" => 5,
        "DELETE" => 6,
        _ => 2,
    }
}
