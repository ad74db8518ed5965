//! Which part of the country a caller may see: a facility and a province their province, the ministry all of it.

use super::access::{Reach, Role};
use super::asked::bad;
use super::auth::Staff;
use super::problem::{Kind, Problem};
use crate::app::App;
use crate::registration::reference;

/// A part of the country that is asked for, and may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locality {
    /// The province's code.
    pub province: String,
    /// Its districts' codes, or the one that is asked for.
    pub districts: Vec<String>,
}

impl Locality {
    /// The district's code, if one is asked for; else the province's.
    pub fn code(&self) -> &str {
        match self.districts.as_slice() {
            [one] => one,
            _ => &self.province,
        }
    }
}

/// The province that a caller of reach `Own` belongs to; `None` where the reference data do not know the facility.
pub async fn home(app: &App, staff: &Staff) -> Result<Option<String>, Problem> {
    let caller = &staff.caller;
    Ok(match (caller.role, &caller.facility) {
        (Role::Facility, Some(facility)) => app.store().province_of_facility(facility).await?,
        (Role::Province, _) => caller.province.clone(),
        _ => None,
    })
}

/// Whether something in this province is within a caller's reach.
pub async fn within(app: &App, staff: &Staff, province: &str) -> Result<(), Problem> {
    match staff.reach {
        Reach::All => Ok(()),
        Reach::Own if home(app, staff).await?.as_deref() == Some(province) => Ok(()),
        Reach::Own | Reach::No => Err(Problem::new(Kind::NOT_YOURS)),
    }
}

/// The part that is asked for: a district, a province, or the caller's own province where neither is said.
pub async fn asked_for(
    app: &App,
    staff: &Staff,
    province: Option<&str>,
    district: Option<&str>,
) -> Result<Locality, Problem> {
    let unit = |field, code: &str, len| {
        let unit = reference::unit(code).filter(|unit| unit.code.len() == len);
        unit.ok_or_else(|| bad(field, "there is no unit with this code", "không có đơn vị hành chính mang mã này"))
    };
    let district = district.map(|code| unit("district", code, 3)).transpose()?;
    let said = match (province, district) {
        (Some(code), None) => Some(unit("province", code, 2)?.code),
        (Some(code), Some(district)) if district.parent != code => {
            return Err(bad(
                "district",
                "it is no district of this province",
                "quận, huyện này không thuộc tỉnh đã nêu",
            ));
        }
        (_, Some(district)) => Some(district.parent),
        (None, None) => None,
    };
    let province = match said {
        Some(code) => {
            within(app, staff, code).await?;
            code.to_owned()
        }
        None if staff.reach == Reach::Own => home(app, staff).await?.ok_or_else(|| Problem::new(Kind::NOT_YOURS))?,
        None => return Err(bad("province", "say which province or district", "nêu tỉnh hoặc quận, huyện")),
    };
    let districts = match district {
        Some(district) => vec![district.code.to_owned()],
        None => reference::parts_of(&province).map(|unit| unit.code.to_owned()).collect(),
    };
    Ok(Locality { province, districts })
}

/// The code of a district's or a commune's province; empty if there is no such unit.
pub fn province_of(code: &str) -> &'static str {
    let Some(unit) = reference::unit(code) else { return "" };
    match unit.parent {
        "" => unit.code,
        parent if parent.len() == 2 => parent,
        parent => reference::unit(parent).map_or("", |district| district.parent),
    }
}
