"""Child: a simulated publication with its control address, and one partner to be moved about."""

from bridge.lab.onec.app import create_onec_app
from bridge.lab.onec.company.compose import compose_infobase
from bridge.lab.onec.simulator import OneCLab
from tests.benchmarks.children import given, send_message, serve


def main() -> None:
    lab = OneCLab(compose_infobase(partners=given()["partners"]))
    users = {extension: lab.add_user(f"Менеджер {extension}", extension) for extension in MANAGERS}
    partner = lab.add_partner(
        "Переходящий", manager=users[MANAGERS[0]], phone="+7 (903) 000-00-01", e164=f"+{NUMBER}"
    )
    send_message(
        users=users,
        partner=partner,
        environment={
            "BRIDGE_ONEC_USER": lab.user,
            "BRIDGE_ONEC_PASSWORD": lab.password,
            "BRIDGE_ONEC_TIMEZONE": str(lab.zone),
        },
        publication=lab.publication,
    )
    serve(create_onec_app(lab), lifespan="off")


#: Extensions that nobody composed has, and the partner's number.
MANAGERS = ("8801", "8802")
NUMBER = 79030000001


if __name__ == "__main__":
    main()
