//! All routes of the services.

use std::cell::RefCell;
use std::collections::HashSet;

use grpcws_proto::Status;

use super::binding::Binding;
use super::choice::{Choice, PARAMETER, asked_for, asked_twice, no_such_verb};
use super::error::{RouteError, RouteErrorReason};
use super::extra::ExtraRoute;
use super::request::RouteMatch;
use super::router::Router;
use crate::services::{HttpRule, Method, Service};

/// The routes by the annotations `google.api.http` of the services' methods, and the extra ones.
///
/// Several methods may have one path, by different HTTP methods. [`choose`](Self::choose) says which one a client gets. An
/// extra route has its path for itself, whatever the HTTP method.
///
/// A route that no client can reach, since another one has its path and its HTTP method, is among the
/// [`problems`](Self::problems), and so is one that is not valid.
#[derive(Debug, Default)]
pub struct Routes {
    bindings: Vec<Binding>,
    router: Router,
    problems: Vec<RouteError>,
    /// The paths of the methods for which there is to be a route, bound or not.
    bound: HashSet<Box<str>>,
}

/// A route, as a list of all routes shows it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct RouteEntry<'a> {
    /// The HTTP method: what a client gives as `method=` to choose it. `None` for an extra route, which has none.
    pub verb: Option<&'a str>,
    /// The path template.
    pub path: &'a str,
    /// The method that is called.
    pub method: &'a Method,
    /// The field that the client's messages are, `*` if they are whole requests, or `None` if the client sends none.
    pub body: Option<&'a str>,
    /// The field of the response that clients of JSON get, or `None` for the whole of it.
    pub response_body: Option<&'a str>,
    /// Whether it is called if a client does not choose, as other routes have the same paths.
    pub is_default: bool,
}

impl Routes {
    /// The route of a path if the client does not choose by HTTP method. The path is percent-encoded, begins with a slash
    /// and has no query.
    ///
    /// A path with a fault (an escape that is not valid, say) may have a route; binding then tells the fault.
    #[must_use]
    pub fn find<'a>(&'a self, path: &'a str) -> Option<RouteMatch<'a>> {
        let group = self.router.find(path, &|_| true)?;
        let default = self.bindings.get(*group.first()?)?;
        Some(RouteMatch::new(default, path, Choice::Default, self.others(group)))
    }

    /// The route of a path and of a query, which is percent-encoded and without its `?`.
    ///
    /// A WebSocket is always opened with `GET` or `CONNECT`, so a client names the HTTP method of an annotation by the
    /// parameter `method`, as clients of grpc-websocket-proxy do: `?method=POST`. Case does not matter, and escapes are not decoded, so that a proxy finds it as it stands. It then gets the
    /// closest template with that HTTP method; a custom one of the kind `*` has all that no other has. If the request has
    /// a field of that name, the parameter sets it as well, and if no HTTP method of the path has this name, it only does that.
    ///
    /// A client that names none gets the closest template, and of several methods with the same paths the first by this
    /// order: the kind `WEBSOCKET`; methods with a stream before unary ones; `GET`, other custom kinds, `POST`, `PUT`,
    /// `PATCH`, `DELETE`; the order of declaration.
    ///
    /// `None` if no template matches the path.
    ///
    /// # Errors
    ///
    /// INVALID_ARGUMENT if no method of this path has the HTTP method, with those that it has.
    pub fn choose<'a>(
        &'a self,
        path: &'a str,
        query: Option<&str>,
    ) -> Option<Result<RouteMatch<'a>, Status>> {
        let default = self.find(path)?;
        let mut asked = asked_for(query);
        let Some(verb) = asked.next() else { return Some(Ok(default)) };
        if asked.next().is_some() {
            return Some(if default.has_field(PARAMETER) { Ok(default) } else { Err(asked_twice()) });
        }
        let by_verb = |exact: bool| {
            let of_verb =
                |index: &&usize| self.bindings.get(**index).is_some_and(|it| it.has_verb(verb, exact));
            let group = self.router.find(path, &|group| group.iter().any(|index| of_verb(&index)))?;
            self.bindings.get(*group.iter().find(of_verb)?)
        };
        if let Some(binding) = by_verb(true).or_else(|| by_verb(false)) {
            return Some(Ok(RouteMatch::new(binding, path, Choice::Verb, Vec::new())));
        }
        if default.has_field(PARAMETER) {
            return Some(Ok(default));
        }
        Some(Err(no_such_verb(verb, &self.all_matching(path))))
    }

    /// The path templates and their methods: for each path the one first that a client gets if it does not choose.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Method)> {
        self.entries().map(|entry| (entry.path, entry.method))
    }

    /// All routes, in an order in which the [default](RouteEntry::is_default) of some paths comes before the others.
    pub fn entries(&self) -> impl Iterator<Item = RouteEntry<'_>> {
        self.bindings.iter().map(|binding| RouteEntry {
            verb: binding.verb.as_deref(),
            path: &binding.path,
            method: &binding.method,
            body: binding.body.name(),
            response_body: binding.response_body.as_ref().map(|field| field.name()),
            is_default: binding.is_default,
        })
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
                errors.push(error(&extra.path, &extra.method, None, reason));
            }
        }
        routes.add_annotations(services);
        (routes, errors)
    }

    fn add_annotations(&mut self, services: &[Service]) {
        let methods = services.iter().flat_map(Service::methods);
        let mut rules: Vec<(&Method, &HttpRule)> =
            methods.flat_map(|method| method.http_rules().iter().map(move |rule| (method, rule))).collect();
        rules.sort_by_key(|(method, rule)| rank(method, rule.verb()));
        for (method, rule) in rules {
            if let Err(reason) = self.add(method, Binding::of_rule(method, rule)) {
                self.problems.push(error(rule.path(), &method.full_name(), Some(rule.verb()), reason));
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
        let mut binding = binding?;
        let group = self.router.same_paths(&binding.template);
        let others = || group.iter().filter_map(|index| self.bindings.get(*index));
        if let Some(taken) = others().find(|other| other.shadows(&binding)) {
            return Err(RouteErrorReason::Taken { method: taken.method.full_name() });
        }
        binding.is_default = group.is_empty();
        group.push(self.bindings.len());
        self.bindings.push(binding);
        Ok(())
    }

    fn others(&self, group: &[usize]) -> Vec<&Binding> {
        group.iter().skip(1).filter_map(|index| self.bindings.get(*index)).collect()
    }

    /// All routes that match a path, by whichever HTTP method: the closest first.
    fn all_matching(&self, path: &str) -> Vec<&Binding> {
        let found = RefCell::new(Vec::new());
        // As if none fitted, so that all are tried.
        self.router.find(path, &|group| {
            found.borrow_mut().extend(group.iter().filter_map(|index| self.bindings.get(*index)));
            false
        });
        found.into_inner()
    }
}

fn error(path: &str, method: &str, verb: Option<&str>, reason: RouteErrorReason) -> RouteError {
    RouteError {
        path: path.to_owned(),
        method: method.to_owned(),
        verb: verb.map(str::to_owned),
        reason: Box::new(reason),
    }
}

/// In which order routes are tried of which a client chooses none.
fn rank(method: &Method, verb: &str) -> (bool, bool, u8) {
    let verb_rank = match verb {
        "GET" => 1,
        "POST" => 3,
        "PUT" => 4,
        "PATCH" => 5,
        "DELETE" => 6,
        _ => 2,
    };
    let is_unary = matches!(method.kind(), grpcws_proto::MethodKind::Unary);
    (!verb.eq_ignore_ascii_case("websocket"), is_unary, verb_rank)
}
