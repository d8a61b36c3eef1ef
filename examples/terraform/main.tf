# Registers a database with a Terraform provider for Sequin's management API, whose routes for databases headgate has.

terraform {
  required_providers {
    sequin = {
      source = "clintdigital/sequin"
    }
  }
}

variable "endpoint" {
  type        = string
  description = "Base URL of the API: the stack's output ApiUrl"
}

variable "api_key" {
  type        = string
  sensitive   = true
  description = "API key with the scopes read and write"
}

variable "password" {
  type        = string
  sensitive   = true
  description = "Password of the role. Terraform's state has it in clear."
}

provider "sequin" {
  endpoint = var.endpoint
  api_key  = var.api_key
}

resource "sequin_database" "orders" {
  name     = "orders"
  hostname = "orders.example.com"
  port     = 5432
  database = "orders"
  username = "cdc"
  password = var.password

  # Written out, because the provider sends false for an ssl that is left out: the connection would not be encrypted. The
  # API's own default, true, is for requests without the field.
  ssl = true

  replication_slots = [{
    publication_name = "orders_pub"
    slot_name        = "orders_slot"
    status           = "active"
  }]
}

output "id" {
  value = sequin_database.orders.id
}
