//! Countries by the codes of ISO 3166-1: a trust list names them by alpha-2.

/// alpha-3 and alpha-2 in one word each, in order. Source: ISO 3166-1, and XKX, which is user-assigned and in use.
const COUNTRIES: &str = "\
    ABWAW AFGAF AGOAO AIAAI ALAAX ALBAL ANDAD AREAE ARGAR ARMAM ASMAS ATAAQ ATFTF ATGAG AUSAU AUTAT AZEAZ BDIBI BELBE \
    BENBJ BESBQ BFABF BGDBD BGRBG BHRBH BHSBS BIHBA BLMBL BLRBY BLZBZ BMUBM BOLBO BRABR BRBBB BRNBN BTNBT BVTBV BWABW \
    CAFCF CANCA CCKCC CHECH CHLCL CHNCN CIVCI CMRCM CODCD COGCG COKCK COLCO COMKM CPVCV CRICR CUBCU CUWCW CXRCX CYMKY \
    CYPCY CZECZ DEUDE DJIDJ DMADM DNKDK DOMDO DZADZ ECUEC EGYEG ERIER ESHEH ESPES ESTEE ETHET FINFI FJIFJ FLKFK FRAFR \
    FROFO FSMFM GABGA GBRGB GEOGE GGYGG GHAGH GIBGI GINGN GLPGP GMBGM GNBGW GNQGQ GRCGR GRDGD GRLGL GTMGT GUFGF GUMGU \
    GUYGY HKGHK HMDHM HNDHN HRVHR HTIHT HUNHU IDNID IMNIM INDIN IOTIO IRLIE IRNIR IRQIQ ISLIS ISRIL ITAIT JAMJM JEYJE \
    JORJO JPNJP KAZKZ KENKE KGZKG KHMKH KIRKI KNAKN KORKR KWTKW LAOLA LBNLB LBRLR LBYLY LCALC LIELI LKALK LSOLS LTULT \
    LUXLU LVALV MACMO MAFMF MARMA MCOMC MDAMD MDGMG MDVMV MEXMX MHLMH MKDMK MLIML MLTMT MMRMM MNEME MNGMN MNPMP MOZMZ \
    MRTMR MSRMS MTQMQ MUSMU MWIMW MYSMY MYTYT NAMNA NCLNC NERNE NFKNF NGANG NICNI NIUNU NLDNL NORNO NPLNP NRUNR NZLNZ \
    OMNOM PAKPK PANPA PCNPN PERPE PHLPH PLWPW PNGPG POLPL PRIPR PRKKP PRTPT PRYPY PSEPS PYFPF QATQA REURE ROURO RUSRU \
    RWARW SAUSA SDNSD SENSN SGPSG SGSGS SHNSH SJMSJ SLBSB SLESL SLVSV SMRSM SOMSO SPMPM SRBRS SSDSS STPST SURSR SVKSK \
    SVNSI SWESE SWZSZ SXMSX SYCSC SYRSY TCATC TCDTD TGOTG THATH TJKTJ TKLTK TKMTM TLSTL TONTO TTOTT TUNTN TURTR TUVTV \
    TWNTW TZATZ UGAUG UKRUA UMIUM URYUY USAUS UZBUZ VATVA VCTVC VENVE VGBVG VIRVI VNMVN VUTVU WLFWF WSMWS XKXXK YEMYE \
    ZAFZA ZMBZM ZWEZW";

/// The alpha-2 code of the country that `code` names, in upper case; `None` if it names none that we know.
///
/// `code`: two letters, which are taken as they are (XA and the like stand for participants of tests), or three of the
/// standard. The European Union's EL and UK are GR and GB.
pub fn alpha2(code: &str) -> Option<String> {
    let code = code.trim().to_ascii_uppercase();
    match code.len() {
        _ if !code.bytes().all(|byte| byte.is_ascii_uppercase()) => None,
        2 => Some(match code.as_str() {
            "EL" => "GR".to_owned(),
            "UK" => "GB".to_owned(),
            _ => code,
        }),
        3 => COUNTRIES.split(' ').find_map(|word| word.strip_prefix(&code)).map(str::to_owned),
        _ => None,
    }
}

/// The alpha-3 code of the country with this alpha-2 code; `None` for one that the standard does not have.
pub fn alpha3(alpha2: &str) -> Option<&'static str> {
    COUNTRIES.split(' ').find_map(|word| word.strip_suffix(alpha2)).filter(|alpha3| alpha3.len() == 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_of_a_country_find_each_other() {
        for (three, two) in [("VNM", "VN"), ("ABW", "AW"), ("ZWE", "ZW"), ("DEU", "DE"), ("XKX", "XK"), ("VAT", "VA")] {
            assert_eq!((alpha2(three).as_deref(), alpha3(two)), (Some(two), Some(three)));
        }
        assert_eq!(COUNTRIES.split(' ').count(), 250);
        for word in COUNTRIES.split(' ') {
            let (three, two) = word.split_at(3);
            assert_eq!((alpha2(three).as_deref(), alpha3(two)), (Some(two), Some(three)), "{word}");
        }
    }

    #[test]
    fn what_names_no_country_is_none() {
        assert_eq!(
            (alpha2("vnm").as_deref(), alpha2("el").as_deref(), alpha2("UK").as_deref()),
            (Some("VN"), Some("GR"), Some("GB"))
        );
        assert_eq!(alpha2("XA").as_deref(), Some("XA"), "a participant of tests");
        for code in ["", "V", "XXA", "V1", "VN1", "Việt", "VIET", "NMV", "MVN"] {
            assert_eq!(alpha2(code), None, "{code}");
        }
        assert_eq!((alpha3("XA"), alpha3(""), alpha3("N"), alpha3("NMVN")), (None, None, None, None));
    }
}
