//! Who may do what: one table, which the mounting of the routes, the OpenAPI document's tests and the access tests all read.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a bearer token's owner is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Somebody with an account: their own and their family's records. Comes with a session, not with a bearer JWT.
    Citizen,
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
    pub const ALL: [Role; 6] =
        [Role::Citizen, Role::Facility, Role::Province, Role::Ministry, Role::Response, Role::Verifier];
    /// Those that a bearer JWT may name.
    pub const STAFF: [Role; 5] = [Role::Facility, Role::Province, Role::Ministry, Role::Response, Role::Verifier];

    /// The word in tokens, flags and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Citizen => "citizen",
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
    Roles {
        /// Reach of [`Role::Citizen`].
        citizen: Reach,
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
            (Who::Roles { citizen, .. }, Role::Citizen) => *citizen,
            (Who::Roles { facility, .. }, Role::Facility) => *facility,
            (Who::Roles { province, .. }, Role::Province) => *province,
            (Who::Roles { ministry, .. }, Role::Ministry) => *ministry,
            (Who::Roles { response, .. }, Role::Response) => *response,
            (Who::Roles { verifier, .. }, Role::Verifier) => *verifier,
        }
    }
}

/// One method of one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// `GET` (which also answers `HEAD`), `POST`, `PATCH` or `DELETE`.
    pub method: &'static str,
    /// As the OpenAPI document writes it.
    pub path: &'static str,
    /// Who may.
    pub who: Who,
}

const fn open(method: &'static str, path: &'static str) -> Route {
    Route { method, path, who: Who::Anyone }
}

/// The reaches in the order citizen, facility, province, ministry, response, verifier.
const fn roles(method: &'static str, path: &'static str, reaches: [Reach; 6]) -> Route {
    let [citizen, facility, province, ministry, response, verifier] = reaches;
    Route { method, path, who: Who::Roles { citizen, facility, province, ministry, response, verifier } }
}

use Reach::{All, No, Own};

/// Every route but the documentation's own. Rows of one path stand together.
#[rustfmt::skip]
pub const ROUTES: &[Route] = &[
    open("POST", "/v1/verify"),
    open("POST", "/v1/verify/batch"),
    open("GET", "/v1/trust-list"),
    open("GET", "/v1/trust-list/did.json"),
    open("GET", "/v1/rules"),
    open("GET", "/v1/changes"),
    open("GET", "/v1/log/checkpoint"),
    open("GET", "/v1/log/tile/{tile}"),
    open("GET", "/v1/log/by-prefix/{prefix}"),
    open("GET", "/v1/status-lists"),
    open("GET", "/v1/status-lists/{n}"),
    open("GET", "/v1/reference/provinces"),
    open("GET", "/v1/reference/facilities"),
    open("GET", "/v1/reference/products"),
    open("GET", "/v1/reference/districts"),
    open("GET", "/v1/reference/wards"),
    open("GET", "/v1/reference/symptoms"),
    open("GET", "/v1/reference/priority-groups"),
    open("GET", "/v1/reference/declaration"),
    open("POST", "/v1/sessions"),
    open("POST", "/v1/sessions/{id}/confirm"),
    open("GET", "/v1/login"),
    open("POST", "/v1/login/demo"),
    open("GET", "/healthz"),
    open("GET", "/readyz"),
    open("GET", "/metrics"),
    //                                                     citizen facility province ministry response verifier
    roles("GET",  "/v1/session",                           [All,   All,     All,     All,     All,     All]),
    roles("DELETE", "/v1/session",                         [All,   All,     All,     All,     All,     All]),
    roles("POST", "/v1/doses",                             [No,    Own,     No,      No,      No,      No]),
    roles("GET",  "/v1/doses",                             [No,    Own,     No,      No,      No,      No]),
    roles("GET",  "/v1/dose-changes",                      [No,    Own,     Own,     All,     No,      No]),
    roles("GET",  "/v1/certificates",                      [Own,   No,      No,      No,      No,      No]),
    roles("GET",  "/v1/certificates/{uvci}",               [Own,   Own,     Own,     All,     No,      No]),
    roles("GET",  "/v1/certificates/{uvci}.{format}",      [Own,   Own,     Own,     All,     No,      No]),
    roles("POST", "/v1/registrations",                     [Own,   No,      No,      No,      No,      No]),
    roles("GET",  "/v1/registrations",                     [Own,   Own,     Own,     All,     No,      No]),
    roles("GET",  "/v1/registrations/{id}",                [Own,   No,      No,      No,      No,      No]),
    roles("PATCH", "/v1/registrations/{id}",               [Own,   Own,     Own,     All,     No,      No]),
    roles("DELETE", "/v1/registrations/{id}",              [Own,   No,      No,      No,      No,      No]),
    roles("POST", "/v1/registrations/{id}/declarations",   [Own,   No,      No,      No,      No,      No]),
    roles("GET",  "/v1/people/me",                         [Own,   No,      No,      No,      No,      No]),
    roles("POST", "/v1/people/me/phone",                   [Own,   No,      No,      No,      No,      No]),
    roles("POST", "/v1/people/claims",                     [Own,   No,      No,      No,      No,      No]),
    roles("PATCH","/v1/doses/{id}",                        [No,    Own,     Own,     No,      No,      No]),
    roles("POST", "/v1/certificates/{uvci}/renew",         [Own,   Own,     No,      All,     No,      No]),
    roles("POST", "/v1/corrections",                       [Own,   No,      No,      No,      All,     No]),
    roles("GET",  "/v1/corrections",                       [Own,   Own,     Own,     All,     All,     No]),
    roles("GET",  "/v1/corrections/{id}",                  [Own,   Own,     Own,     All,     All,     No]),
    roles("PATCH","/v1/corrections/{id}",                  [No,    Own,     No,      No,      No,      No]),
    roles("PUT",  "/v1/corrections/{id}/photo",            [Own,   No,      No,      No,      All,     No]),
    roles("GET",  "/v1/corrections/{id}/photo",            [Own,   Own,     Own,     All,     All,     No]),
    roles("POST", "/v1/imports",                           [No,    Own,     Own,     No,      No,      No]),
    roles("GET",  "/v1/imports/{id}",                      [No,    Own,     Own,     All,     No,      No]),
    roles("GET",  "/v1/imports/{id}/rejects.csv",          [No,    Own,     Own,     All,     No,      No]),
    open("GET", "/v1/revocations/{slice}"),
    open("GET", "/v1/revocations"),
    roles("POST", "/v1/revocations",                       [No,    No,      No,      All,     No,      No]),
    roles("POST", "/v1/revocations/{id}/undo",             [No,    No,      No,      All,     No,      No]),
    roles("GET",  "/v1/stats",                             [No,    No,      Own,     All,     All,     No]),
    roles("GET",  "/v1/stats/places",                      [No,    No,      Own,     All,     All,     No]),
    roles("GET",  "/v1/stats/days",                        [No,    No,      Own,     All,     All,     No]),
    roles("GET",  "/v1/stats/facilities",                  [No,    No,      Own,     All,     All,     No]),
    roles("GET",  "/v1/stats/stream",                      [No,    No,      Own,     All,     All,     No]),
    roles("GET",  "/v1/appointments/sessions",             [Own,   Own,     Own,     All,     No,      No]),
    roles("POST", "/v1/appointments/sessions",             [No,    Own,     Own,     No,      No,      No]),
    roles("GET",  "/v1/appointments/sessions/{session}",   [No,    Own,     Own,     All,     No,      No]),
    roles("POST", "/v1/appointments/sessions/{session}/places", [No, Own,   Own,     No,      No,      No]),
    roles("DELETE", "/v1/appointments/sessions/{session}/places/{person}", [No, Own, Own, No, No,      No]),
    roles("GET",  "/v1/people",                            [No,    All,     All,     All,     All,     No]),
    roles("GET",  "/v1/people/{person}",                   [No,    All,     All,     All,     All,     No]),
    roles("GET",  "/v1/audit",                             [No,    No,      No,      All,     No,      No]),
    roles("POST", "/v1/reactions",                         [Own,   No,      No,      No,      All,     No]),
    roles("GET",  "/v1/tickets",                           [No,    No,      Own,     All,     All,     No]),
    roles("POST", "/v1/tickets",                           [No,    No,      No,      All,     All,     No]),
    roles("PATCH", "/v1/tickets/{ticket}",                 [No,    No,      No,      All,     All,     No]),
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
