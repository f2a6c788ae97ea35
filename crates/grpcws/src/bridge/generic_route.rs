//! Which methods have a generic route.

use crate::services::{Method, Services};

/// Which methods can be called at their generic route, `/package.Service/Method`.
///
/// A bound route, made by `google.api.http` or an [`ExtraRoute`](crate::routes::ExtraRoute), sets fields of the request
/// by path and query, so a proxy in front that checks paths has checked these fields of the requests. That holds only if
/// the method cannot be called at its generic route: close it then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum GenericRoute {
    /// All of them.
    #[default]
    Open,
    /// Those of methods without a bound route. A method that is not in the descriptors cannot be called, in no mode,
    /// and none can while the descriptors are still to come: it might have a bound route. An annotation or an extra
    /// route closes the generic route of its method even if it is among the
    /// [`problems`](crate::routes::Routes::problems) and not bound itself.
    Unbound,
    /// None. Calls are made at bound routes only.
    Off,
}

impl GenericRoute {
    /// Returns whether a method of the descriptors has a generic route.
    pub(super) fn is_open(self, method: &Method, services: &Services) -> bool {
        match self {
            Self::Open => true,
            Self::Unbound => !services.routes().is_bound(method),
            Self::Off => false,
        }
    }
}
