"""The control socket's face: policy and status, for the provisioner."""
