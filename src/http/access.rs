//! Who may do what: one table, which the mounting of the routes, the OpenAPI document's tests and the access tests all read.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a bearer token's owner is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A vaccination site: its own people and doses.
    Facility,
    /// A provincial health department: its facilities.
    Province,
    /// The ministry: all of it.
    Ministry,
    /// The response centre: tickets, corrections and counts.
    Response,
    /// A machine that verifies much.
    Verifier,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 5] = [Role::Facility, Role::Province, Role::Ministry, Role::Response, Role::Verifier];

    /// The word in tokens, flags and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Facility => "facility",
            Role::Province => "province",
            Role::Ministry => "ministry",
            Role::Response => "response",
            Role::Verifier => "verifier",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Role::ALL.into_iter().find(|role| role.as_str() == text).ok_or(())
    }
}

/// How far a role reaches on a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Not at all.
    No,
    /// What belongs to the caller's facility or province.
    Own,
    /// Everything.
    All,
}

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Everybody, from every web page (CORS), without a token.
    Anyone,
    /// Roles, each with its reach.
    Staff {
        /// Reach of [`Role::Facility`].
        facility: Reach,
        /// Reach of [`Role::Province`].
        province: Reach,
        /// Reach of [`Role::Ministry`].
        ministry: Reach,
        /// Reach of [`Role::Response`].
        response: Reach,
        /// Reach of [`Role::Verifier`].
        verifier: Reach,
    },
}

impl Who {
    /// How far `role` reaches.
    pub fn reach(&self, role: Role) -> Reach {
        match (self, role) {
            (Who::Anyone, _) => Reach::All,
            (Who::Staff { facility, .. }, Role::Facility) => *facility,
            (Who::Staff { province, .. }, Role::Province) => *province,
            (Who::Staff { ministry, .. }, Role::Ministry) => *ministry,
            (Who::Staff { response, .. }, Role::Response) => *response,
            (Who::Staff { verifier, .. }, Role::Verifier) => *verifier,
        }
    }
}

/// One method of one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// `GET` (which also answers `HEAD`) or `POST`.
    pub method: &'static str,
    /// As the OpenAPI document writes it.
    pub path: &'static str,
    /// Who may.
    pub who: Who,
}

const fn open(method: &'static str, path: &'static str) -> Route {
    Route { method, path, who: Who::Anyone }
}

/// The reaches in the order facility, province, ministry, response, verifier.
const fn staff(method: &'static str, path: &'static str, reaches: [Reach; 5]) -> Route {
    let [facility, province, ministry, response, verifier] = reaches;
    Route { method, path, who: Who::Staff { facility, province, ministry, response, verifier } }
}

use Reach::{All, No, Own};

/// Every route but the documentation's own. Rows of one path stand together.
#[rustfmt::skip]
pub const ROUTES: &[Route] = &[
    open("POST", "/v1/verify"),
    open("POST", "/v1/verify/batch"),
    open("GET", "/v1/trust-list"),
    open("GET", "/v1/reference/provinces"),
    open("GET", "/v1/reference/facilities"),
    open("GET", "/v1/reference/products"),
    open("GET", "/healthz"),
    open("GET", "/readyz"),
    open("GET", "/metrics"),
    //                                                     facility province ministry response verifier
    staff("POST", "/v1/doses",                              [Own,   No,      No,      No,      No]),
    staff("GET",  "/v1/certificates/{uvci}",                [Own,   Own,     All,     No,      No]),
    staff("GET",  "/v1/certificates/{uvci}.{format}",       [Own,   Own,     All,     No,      No]),
    staff("POST", "/v1/revocations",                        [No,    No,      All,     No,      No]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_one_path_stand_together_and_are_there_once() {
        let mut seen: Vec<(&str, &str)> = Vec::new();
        for row in ROUTES {
            assert!(!seen.contains(&(row.method, row.path)), "{} {} twice", row.method, row.path);
            let apart =
                seen.iter().any(|(_, path)| *path == row.path) && seen.last().map(|(_, p)| *p) != Some(row.path);
            assert!(!apart, "{} stands apart", row.path);
            seen.push((row.method, row.path));
        }
    }

    #[test]
    fn roles_are_read_as_they_are_written() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
            assert_eq!(serde_json::to_string(&role).expect("serializes"), format!("\"{}\"", role.as_str()));
        }
    }
}
