"""What outlives the programs: memories and keys, whatever tenants run as."""

import pytest

from tests.support.stack import running_stack

pytestmark = pytest.mark.journey


@pytest.mark.parametrize("runtime", ["process", "docker"])
def test_after_down_and_up_a_tenant_has_its_memory_its_key_and_its_address(runtime):
    with running_stack(runtime=runtime) as stack, stack.customer() as somebody:
        instance = somebody.instance()
        instance.save("The office moved to Lisbon in May.")

        stack.loam("down")
        stack.loam("up", "--no-demo")

        found = instance.search("office")
        assert found.status_code == 200, found.text
        assert found.json()["results"][0]["content"] == "The office moved to Lisbon in May."
